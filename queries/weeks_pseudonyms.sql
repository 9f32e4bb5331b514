-- Ids to pseudonyms.
--
-- Takes    `ids` (id VARCHAR); $key: the secret before every id under SHA-256.
-- Grain    one row per row of `ids`, in their order.
-- Columns  pseudonym (24 hexadecimal characters; null and '' stay as they are)
-- Engines  DuckDB, on Spark's workers as well: raw ids never reach a shuffle.
SELECT CASE WHEN id <> '' THEN left(sha256($key || id), 24) ELSE id END AS pseudonym
FROM ids
