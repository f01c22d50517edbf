import MatrixFederation
import PresenceModel
import Testing

@testable import presenced

/// What the configuration says of other servers.
struct `Keys about other servers` {
    @Test func `are read`() throws {
        let text = """
            server_name: x.org
            federation:
              allowed_networks: [10.0.0.0/8, "fd00::/8", 127.0.0.1]
              dns_servers: [192.0.2.53, "[2001:db8::53]:5353", "2001:db8::54"]
              notaries: [matrix.org, "y.org:8448"]
              signing_key_id: ed25519:p_1
            """
        let federation = try ConfigurationReader.read(text, file: "/etc/p.yaml").configuration.federation
        #expect(federation.allowedNetworks.map(\.description) == ["10.0.0.0/8", "fd00::/8", "127.0.0.1/32"])
        let servers = ["192.0.2.53:53", "[2001:db8::53]:5353", "[2001:db8::54]:53"]
        #expect(federation.dnsServers.map(\.description) == servers)
        #expect(federation.signingKeyID?.text == "ed25519:p_1")
        #expect(federation.notaries.map(\.text) == ["matrix.org", "y.org:8448"])
    }

    @Test(arguments: [
        "allowed_networks: [10.0.0.1/8]", "allowed_networks: [private]", "allowed_networks: 10.0.0.0/8",
        "dns_servers: [dns.example.org]", "dns_servers: [\"192.0.2.53:0\"]", "notaries: [\"not a name\"]",
        "signing_key_id: p_1", "signing_key_id: \"rsa:1\"", "doubtful_limit: 0", "connect_timeout: 0s",
    ])
    func `stop the start where they are wrong`(line: String) {
        let key = line.split(separator: ":")[0]
        #expect {
            try ConfigurationReader.read("server_name: x.org\nfederation:\n  \(line)\n", file: "/etc/p.yaml")
        } throws: {
            "\($0)".contains("federation.\(key)")
        }
    }
}
