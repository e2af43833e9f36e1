// Package origin is the service behind the gateways of a measurement: the least that HTTP/1.1 takes, with answers that lie ready.
//
// It answers a request without a body with a short body, one with a body with a body of 10 KB, and one that asks for a WebSocket with 101, from
// then on sending back each message. It must cost little, and is no server for anything else: whoever asks is believed.
package origin
