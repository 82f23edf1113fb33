"""Parts of pages, each a function from what the API said to what is on the screen."""
