"""How a store's tables came to be, step by step. A step is never changed once a store may have taken it."""
