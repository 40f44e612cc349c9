"""Pages for people: one self-contained file of HTML beside a store, that says what a run did and what came of it."""
