-- JSON objects to their fields as text, by path.
--
-- Takes    the relation `records` (number BIGINT, line VARCHAR); $paths: the JSON paths.
-- Grain    one row per record, in their order.
-- Columns  number, fields (VARCHAR[], one per path), types (VARCHAR[], the JSON type of each), broken (the record is no JSON
--          object)
WITH read AS (
    SELECT
        number,
        TRY(json_extract_string(line, $paths)) AS fields,
        TRY(json_type(line, $paths)) AS types
    FROM records
)
SELECT number, fields, types, fields IS NULL AS broken FROM read
