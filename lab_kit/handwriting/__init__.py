"""Synthetic handwriting by imaginary writers: pen paths, writing styles, layout, ink."""
