"""The pages behind the tabs; `base.Page` is what each of them is, `registry.PAGES` the list."""
