"""How one request travels: by `requests`, or by libcurl where the extra [fast] is installed."""
