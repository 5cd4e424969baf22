"""What the words of a message mean: drug names and codes to ingredients, results to analytes and canonical units. Pure."""
