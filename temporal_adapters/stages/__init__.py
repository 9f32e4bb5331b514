"""One folder per step of the line; tables in, tables out. Arrows between stages are named in the import contract."""
