"""Where batches run. An engine knows neither ids nor tables: work goes in, results come out."""
