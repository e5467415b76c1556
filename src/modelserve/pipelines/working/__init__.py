"""Those who do the runs of a store: claims them, goes on with them, and tells of their ends."""
