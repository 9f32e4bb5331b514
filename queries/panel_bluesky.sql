-- Bluesky posts, as Jetstream events, records of a repository, or post views of the API, to posts.
--
-- Takes    the relation `records` (number BIGINT, line VARCHAR, context VARCHAR).
-- Grain    one row per record; likes, follows, deletions and account events have problem 'not_a_post'.
-- Columns  number, post_id (at:// URI), user_id (DID), created (the time as the platform writes it), text, lang (its
--          tags, separated by spaces), is_repost, is_reply, is_quote, client, platform, problem
--
-- In a feed, `reason` marks a repost: its user and time are the reposter's. Its id joins both, as Bluesky gives none.
WITH fields AS (
    SELECT
        number,
        TRY(json_extract_string(line, [
            '$.did', '$.kind', '$.commit.operation', '$.commit.collection', '$.commit.rkey',
            '$.uri', '$.post.uri', '$.author.did', '$.post.author.did',
            '$.reason.by.did', '$.reason.indexedAt', '$.reason."$type"',
            '$.commit.record', '$.record', '$.value', '$.post.record', '$'
        ])) AS f
    FROM records
),
unwrapped AS (
    SELECT
        number,
        f,
        f IS NULL AS broken,
        coalesce(f[6], f[7], 'at://' || f[1] || '/' || f[4] || '/' || f[5]) AS uri,
        f[10] IS NOT NULL AND f[12] LIKE '%reasonRepost' AS is_repost,
        json_extract_string(coalesce(f[13], f[14], f[15], f[16], f[17]), [
            '$."$type"', '$.text', '$.createdAt', '$.langs', '$.reply.parent.uri', '$.embed."$type"'
        ]) AS r
    FROM fields
)
SELECT
    number,
    CASE WHEN is_repost THEN uri || ' reposted by ' || f[10] ELSE uri END AS post_id,
    CASE WHEN is_repost THEN f[10] ELSE coalesce(f[1], f[8], f[9], nullif(split_part(uri, '/', 3), '')) END AS user_id,
    CASE WHEN is_repost THEN f[11] ELSE r[3] END AS created,
    r[2] AS text,
    nullif(trim(regexp_replace(r[4], '[^A-Za-z0-9-]+', ' ', 'g')), '') AS lang,
    coalesce(is_repost, false) AS is_repost,
    r[5] IS NOT NULL AS is_reply,
    coalesce(r[6] LIKE 'app.bsky.embed.record%', false) AS is_quote,
    NULL AS client,
    'bluesky' AS platform,
    CASE
        WHEN broken THEN 'not_json'
        WHEN coalesce(f[2], 'commit') <> 'commit' OR coalesce(f[3], 'create') NOT IN ('create', 'update')
            OR coalesce(f[4], r[1], 'app.bsky.feed.post') <> 'app.bsky.feed.post' THEN 'not_a_post'
        WHEN r[2] IS NULL AND contains(uri, '/app.bsky.feed.post/') THEN 'unknown_layout'
        WHEN r[2] IS NULL THEN 'not_a_post'
    END AS problem
FROM unwrapped
