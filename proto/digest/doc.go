// Package digest sums up a lane, so that control plane and node can tell with 32 bytes whether they
// hold the same, and a signature over those 32 bytes covers every entry.
//
// It owns the construction below and two forms of it: [Tree], the sums alone, for whoever keeps the
// entries elsewhere; and [Set], an index of keys and hashes that keeps them too. It doesn't own the
// entries' bytes, the numbers of a lane (package position) or the signature.
//
// Data flows upwards: entry → key and hash → bucket → group → head. Both forms can be cloned for
// little, changed aside and dropped: a delta is applied to a clone, its head compared, and only
// then is the clone kept.
//
// # Construction
//
//  1. An entry has a key of 32 bytes, SHA-256(kind "/" id) over the UTF-8 texts; an API key's is
//     its digest (package apikey). No two entries of a lane have the same key.
//  2. An entry's hash is the first 16 bytes of SHA-256 over its bytes as stored. The bytes name the
//     entry themselves: its key isn't hashed again.
//  3. An entry's bucket is the first 12 bits of its key, 0 to 4095.
//  4. A bucket's sum is SHA-256 over its entries' hashes, one behind the other, ordered by key as
//     bytes. The sum of a bucket without entries is 32 zero bytes.
//  5. Group g, 0 to 63, has the buckets 64g to 64g+63. Its sum is SHA-256 over their 64 sums, 2048
//     bytes, in order; also when all of them are zero.
//  6. The head is SHA-256 over the 64 group sums, 2048 bytes, in order.
//
// # A worked example
//
// Three entries, with their bytes as stored:
//
//	route/rt_14    "one"     key  deb44d428101acc1a87e1956f267008a75f32c4a0327228909fe79241929f4bb
//	                         hash 7692c3ad3540bb803c020b3aee66cd88   bucket 3563
//	route/rt_57    "two"     key  deb1692c4e104f607d2ea842c19628dd926f7becf1695a9c0742f18924a3d674
//	                         hash 3fc4ccfe745870e2c0d99f71f30ff065   bucket 3563
//	service/svc_1  "orders"  key  8e0c03782b108453365e6226d6c787806f02ae263ce23cdb1fd2162c077def03
//	                         hash 1c168adb00d208e42f93314529f1fa9c   bucket 2272
//
// In bucket 3563 rt_57 comes first, since deb1… is before deb4…. The sums:
//
//	bucket 2272  61ebd94e197e3fe0a1894a6e505619e9a9bac3307fdb1380b8513e4cd51b9673
//	bucket 3563  ef8e689c70601aa9dae0807d0ede1d080c2732d02c87c86003da3bc59737cdd5
//	group 35     3bea7d6083aa56b9ef4b36a7efbe6a649542cafdbd8bc30f5c3c5efad09adf6c
//	group 55     732252b713ce77184badce2562dc67a967565572ab8cdcf0bc4d2f5412b4a355
//	other groups e5a00aa9991ac8a5ee3109844d84a55583bd20572ad3ffcd42792f3c36b183ad
//	head         de13df7ab02cfff2be089e0dc2fbd83aa89c5a64689937b2a10e6555832602c9
//
// An empty lane's head is 074c22db7dbad6e67f74f8468f618b438beae6cdce9e96814499ed8a247011aa.
package digest
