"""The NBA domain: catalog, SQL, synthetic league and loader of real data."""
