"""Files of many formats to tokenised examples."""
