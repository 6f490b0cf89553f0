"""Images: a store of layers, what comes into it, and containers whose root is made of them."""
