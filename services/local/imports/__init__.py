"""Knowledge from elsewhere, into a site's own folder: one way for tables of any vendor, by a mapping file, and one for the text
of the French thesaurus. Nothing of it is shipped, and nothing of it counts until the site chooses so (``choices.csv``)."""
