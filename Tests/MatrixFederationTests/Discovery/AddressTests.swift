import Testing

@testable import MatrixFederation

struct `IP addresses` {
    @Test(arguments: ["192.0.2.1", "::1", "2001:db8::1", "::ffff:127.0.0.1", "fe80::1"])
    func `are read as they are written`(text: String) throws {
        #expect(try #require(IPAddress(parsing: text)).description == text)
    }

    @Test(arguments: [
        "", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "0x7f.1", "2130706433", "[::1]", "fe80::1%lo",
    ])
    func `are nothing else`(text: String) { #expect(IPAddress(parsing: text) == nil) }

    @Test func `lie in ranges`() throws {
        let range = try #require(AddressRange(parsing: "172.16.0.0/12"))
        for (text, isInside) in [
            ("172.16.0.0", true), ("172.31.255.255", true), ("172.32.0.0", false), ("172.15.255.255", false),
            ("::ffff:172.16.0.1", false),
        ] {
            #expect(range.contains(try #require(IPAddress(parsing: text))) == isInside, "\(text)")
        }
        #expect(AddressRange(parsing: "0.0.0.0/0")?.contains(try #require(IPAddress(parsing: "8.8.8.8"))) == true)
        #expect(AddressRange(parsing: "10.0.0.7")?.description == "10.0.0.7/32")
    }

    @Test(arguments: ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "fd00::/129", "/8", "x"])
    func `are in no range that is none`(text: String) { #expect(AddressRange(parsing: text) == nil) }
}

struct `The guard of addresses` {
    static let refused = [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
        "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1",
        "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
        "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001::1",
        "2001:2::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1",
        "fd12:3456::1", "fe80::1", "febf::1", "fec0::1", "ff02::1",
    ]
    static let passed = [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.255.255", "192.169.0.0", "198.17.255.255",
        "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00::1", "::ffff:8.8.8.8", "64:ff9b::808:808",
        "2002:808:808::1", "2001:4860::1", "fbff::1",
    ]

    @Test(arguments: refused) func `refuses what is not public`(text: String) throws {
        #expect(AddressGuard(allowed: []).refusal(of: try #require(IPAddress(parsing: text))) != nil)
    }

    @Test(arguments: passed) func `lets pass what is public`(text: String) throws {
        #expect(AddressGuard(allowed: []).refusal(of: try #require(IPAddress(parsing: text))) == nil)
    }

    @Test func `lets pass what the operator allows, in its other forms too, and nothing beside it`() throws {
        let allowing = AddressGuard(allowed: [try #require(AddressRange(parsing: "10.1.0.0/16"))])
        for text in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"] {
            #expect(allowing.refusal(of: try #require(IPAddress(parsing: text))) == nil, "\(text)")
        }
        for text in ["10.2.0.0", "127.0.0.1", "::1", "::ffff:10.2.0.1"] {
            #expect(allowing.refusal(of: try #require(IPAddress(parsing: text))) != nil, "\(text)")
        }
    }
}
