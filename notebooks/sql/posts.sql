-- The posts made up to a moment and liked often enough, each with its effective country:
-- its own unless that is NULL, empty or 'default', else its owner's, else a fallback.
SELECT post_id,
       p.caption,
       coalesce(nullif(nullif(p.country, ''), 'default'), nullif(o.country, ''), :fallback) AS country,
       p.language
FROM posts AS p
LEFT JOIN users AS o ON o.user_id = p.owner_id
LEFT JOIN (
    SELECT post_id, sum(likes) AS likes FROM interactions WHERE created_at < :until GROUP BY post_id
) AS counted USING (post_id)
WHERE p.created_at < :until
  AND coalesce(counted.likes, 0) >= :min_likes
ORDER BY post_id
