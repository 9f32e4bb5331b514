-- Posts of Facebook's "download your information" (your_posts_1.json) to posts.
--
-- Takes    the relation `records` (number BIGINT, line VARCHAR, context VARCHAR).
-- Grain    one row per entry; entries without words of their own have problem 'not_a_post'.
-- Columns  number, post_id (time and place in the file: the download gives no ids), user_id (the word me: the
--          download is one account's), created (the time as the platform writes it), text,
--          lang (null), is_repost (shared), is_reply (false), is_quote (false), client, platform, problem
--
-- Its text is encoded twice, which the reader undoes for every platform.
WITH fields AS (
    SELECT
        number,
        TRY(json_extract_string(line, ['$.timestamp', '$.title'])) AS f,
        TRY(json_extract_string(line, '$.data[*].post')) AS said
    FROM records
)
SELECT
    number,
    f[1] || '/' || number AS post_id,
    'me' AS user_id,
    f[1] AS created,
    list_aggregate(list_filter(said, lambda part: part IS NOT NULL), 'string_agg', chr(10)) AS text,
    CAST(NULL AS VARCHAR) AS lang,
    coalesce(regexp_matches(f[2], ' shared (a|an|his|her|their) '), false) AS is_repost,
    false AS is_reply,
    false AS is_quote,
    CAST(NULL AS VARCHAR) AS client,
    'facebook' AS platform,
    CASE WHEN f IS NULL THEN 'not_json' WHEN len(list_filter(said, lambda part: part IS NOT NULL)) = 0 THEN 'not_a_post' END AS problem
FROM fields
