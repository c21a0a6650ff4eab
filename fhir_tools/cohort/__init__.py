"""Many patients at once: flat views of FHIR (SQL on FHIR v2) in Parquet, one expression over them on DuckDB or Spark.

duckdb, ibis, pyarrow and pyspark are imported here alone, and only when they are used.
"""
