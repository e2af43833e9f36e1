// Package load is the clients of a measurement: connections that send prepared requests, and count and time the answers.
//
// It owns a small HTTP/1.1 client of its own ([HTTP]), TLS handshakes ([Handshakes]) and WebSocket messages ([WebSocket]), and two ways to
// use them: a closed loop, in which every connection asks as soon as it was answered and which tells what a gateway can do; and an open
// loop, in which requests are due at times that were drawn beforehand, whatever became of those before. Latencies of the latter count from when a
// request was due, so that an answer that is late delays no measurement of the next one (no coordinated omission).
//
// It must cost little, since upstream and control plane share its processor: nothing is allocated and nothing formatted per request. It
// knows nothing of who is asked. An answer other than the expected one counts as failed.
package load
