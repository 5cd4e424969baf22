"""From the data files to what is known: ``reading.dose`` reads what ``knowledge.dose`` has the types of, and so do the others.

A module has the rows of its files, with a field for each column, and a function for what they come to. ``tables`` reads a file
into rows, ``sources`` checks where they are from and makes a type of a row, ``cells`` has what columns of many files hold.
"""
