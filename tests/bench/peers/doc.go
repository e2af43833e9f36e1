// Package peers is the gateways that a measurement compares with: nginx, HAProxy and Caddy as Debian packages them, Traefik as it is built
// from its module, and the TCP relay.
//
// It owns what a gateway is to a measurement ([Gateway], [Running]), and the peers' configurations (templates/), which are to be fair: one worker, connections
// to the service kept, the same forwarding headers, certificate and cipher, the same keys and limits, the access log off unless asked for, and
// buffered where the program can. What a peer can't do it says in words ([Gateway.Lacks]). Everything a peer writes goes to a folder of its own, and
// it listens on loopback alone.
//
// Sallyport itself is package gateway's. How the gateways are compared is package scenarios'.
package peers
