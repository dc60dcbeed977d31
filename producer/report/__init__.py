"""What a run writes for people: masks drawn on images, and a page that shows them."""
