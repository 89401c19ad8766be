"""All that touches the world, one module a kind of thing touched."""
