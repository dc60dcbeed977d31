"""What a run leaves to look at: masks drawn on images, and a page that shows them."""
