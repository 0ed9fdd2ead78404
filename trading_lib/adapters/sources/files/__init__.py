"""The source "files": a folder of price, macro, funding and positioning files with its manifest."""
