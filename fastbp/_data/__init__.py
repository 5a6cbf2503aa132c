"""User data: checked, weighted and scaled before an engine reads them."""
