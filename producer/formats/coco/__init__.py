"""COCO instances: written as a stream, and read with every refusal naming its place."""
