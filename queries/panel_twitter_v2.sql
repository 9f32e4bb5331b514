-- Twitter API v2 tweets, as pages (data, includes, meta), stream objects or flattened lines, to posts.
--
-- Takes    the relations `records` (number BIGINT, line VARCHAR, context VARCHAR) and `originals` (id VARCHAR, text VARCHAR:
--          whole texts that lie in a file beside).
-- Grain    one row per tweet of a page's `data`; one row for a record without tweets (problem 'not_a_post').
-- Columns  number, post_id, user_id, created (the time as the platform writes it), text, lang, is_repost, is_reply,
--          is_quote, client, platform, problem
--
-- The text of a repost comes from the tweet it refers to: inside `referenced_tweets` in flattened lines (twarc2, 4CAT),
-- in `includes.tweets` in pages, in `originals` in academictwitteR's folders. Long posts have their whole text in
-- `note_tweet`. Of an edited post every version has an id of its own: only the last counts.
WITH parsed AS (
    SELECT number, TRY(json_extract(line, ['$.data', '$.includes.tweets', '$'])) AS j FROM records
),
pages AS (
    SELECT
        number,
        j IS NULL AS broken,
        json_transform(
            CASE WHEN json_type(j[2]) = 'ARRAY' THEN j[2] END,
            '[{"id": "VARCHAR", "text": "VARCHAR", "note_tweet": {"text": "VARCHAR"}}]') AS included,
        CASE
            WHEN json_type(j[1]) = 'ARRAY' AND json_array_length(j[1]) > 0 THEN CAST(j[1] AS JSON[])
            WHEN json_type(j[1]) = 'OBJECT' THEN [j[1]]
            ELSE [j[3]]
        END AS tweets
    FROM parsed
),
tweets AS (
    SELECT number, broken, included, unnest(tweets) AS tweet, generate_subscripts(tweets, 1) AS place FROM pages
),
fields AS (
    SELECT
        number,
        place,
        broken,
        included,
        json_extract_string(tweet, [
            '$.id', '$.author_id', '$.created_at', '$.note_tweet.text', '$.text', '$.lang', '$.source', '$.author.id',
            '$.edit_history_tweet_ids[#-1]', '$.username'
        ]) AS f,
        json_transform(
            json_extract(tweet, '$.referenced_tweets'),
            '[{"type": "VARCHAR", "id": "VARCHAR", "text": "VARCHAR", "note_tweet": {"text": "VARCHAR"}}]') AS refs
    FROM tweets
),
referred AS (
    SELECT
        *,
        list_filter(refs, lambda ref: ref.type = 'retweeted')[1] AS original,
        len(list_filter(refs, lambda ref: ref.type = 'replied_to')) > 0 AS replies,
        len(list_filter(refs, lambda ref: ref.type = 'quoted')) > 0 AS quotes
    FROM fields
),
completed AS (
    SELECT *, list_filter(included, lambda tweet: tweet.id = original.id)[1] AS elsewhere FROM referred
)
SELECT
    number,
    f[1] AS post_id,
    coalesce(f[2], f[8]) AS user_id,
    f[3] AS created,
    coalesce(
        original.note_tweet.text, original.text, elsewhere.note_tweet.text, elsewhere.text, originals.text, f[4], f[5]) AS text,
    f[6] AS lang,
    original IS NOT NULL AS is_repost,
    coalesce(replies, false) AS is_reply,
    coalesce(quotes, false) AS is_quote,
    f[7] AS client,
    'twitter' AS platform,
    CASE
        WHEN broken THEN 'not_json'
        WHEN f[5] IS NULL AND (f[1] IS NULL OR f[10] IS NOT NULL) THEN 'not_a_post'
        WHEN f[5] IS NULL THEN 'unknown_layout'
        WHEN f[9] <> f[1] THEN 'old_version'
    END AS problem
FROM completed
LEFT JOIN originals ON originals.id = original.id
ORDER BY number, place
