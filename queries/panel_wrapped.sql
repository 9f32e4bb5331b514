-- Items as Zeeschuimer collects them (one JSON object per line, the platform's own object in `data`) to those objects.
--
-- Takes    the relation `records` (number BIGINT, line VARCHAR, context VARCHAR).
-- Grain    one row per record.
-- Columns  number, line (the object in `data`, or the record itself without one; null: the record is no JSON), context
WITH parsed AS (
    SELECT number, context, TRY(json_extract(line, ['$.data', '$'])) AS j FROM records
)
SELECT
    number,
    CAST(CASE WHEN json_type(j[1]) = 'OBJECT' THEN j[1] ELSE j[2] END AS VARCHAR) AS line,
    context
FROM parsed
