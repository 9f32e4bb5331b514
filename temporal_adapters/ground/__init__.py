"""What every room stands on: errors, table schemas, dates, packaged resources, progress. Knows no stage."""
