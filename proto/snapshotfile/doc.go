// Package snapshotfile is the form of a snapshot file: an environment as it was at one time, signed as on the wire, for nodes to start from
// while there is no control plane, or without one.
//
// It holds peppers and secrets, and is sealed for that: AES-256-GCM under a key drawn from the file's own and a random salt. A file is
//
//	magic (8 bytes) | salt (32) | frames
//	frame: length (4, little-endian, the top bit marks the last one) | ciphertext | tag (16)
//
// Nonces are the frames' numbers, and the first four bytes of a frame are authenticated with it: none can be changed, moved, left out
// or added unnoticed, and a file that was cut short isn't a whole one. What lies inside is told by the first byte of each frame's content:
// the manifest, the directory, the configuration, in this order.
//
// The package writes and reads streams, and opens no file. It verifies no head: whoever reads a file treats what it holds as if it came
// over the wire.
package snapshotfile
