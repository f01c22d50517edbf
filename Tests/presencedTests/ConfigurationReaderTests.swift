import BridgeEngine
import Foundation
import PresenceModel
import Testing

@testable import presenced

@Suite struct ConfigurationReaderTests {
    @Test func `a name alone gives the defaults, with paths beside the file`() throws {
        let configuration = try ConfigurationReader.read("server_name: x.org", file: "/etc/p/p.yaml").configuration
        var expected = ServerConfiguration()
        expected.serverName = try ServerName(parsing: "x.org")
        expected.dataDirectory = "/etc/p/presenced-data"
        #expect(configuration == expected)
        #expect(configuration.tokenFilePath == "/etc/p/presenced-data/tokens.json")
        #expect(configuration.storeFilePath == "/etc/p/presenced-data/presenced.sqlite")
        #expect(configuration.signingKeyPath == "/etc/p/presenced-data/signing.key")
    }

    @Test func `what is written replaces the defaults`() throws {
        let text = """
            server_name: x.org:8448
            data_directory: /var/lib/presenced
            client: {listen: "[::1]:80", cors: false, rate_limit: {per_second: 2.5}}
            federation:
              enabled: true
              signing_key: keys/x.key
              resolve:
                y.org: 10.0.0.7:8448
                "z.org:99": "[fe80::1]:443"
              batch: {window: 250ms, lead: immediate}
            presence: {status_text_limit: 100}
            store: {file: /ssd/p.sqlite, synchronous: normal}
            log: {level: debug, format: json}
            social:
            """
        let configuration = try ConfigurationReader.read(text, file: "/etc/p.yaml").configuration
        #expect(configuration.serverName.text == "x.org:8448")
        #expect(configuration.client.listen == NetworkAddress(host: "::1", port: 80))
        #expect(!configuration.client.cors && configuration.client.rateLimit.perSecond == 2.5)
        #expect(configuration.federation.enabled)
        #expect(configuration.signingKeyPath == "/etc/keys/x.key")
        let resolve = configuration.federation.resolve
        #expect(resolve[try ServerName(parsing: "y.org")] == NetworkAddress(host: "10.0.0.7", port: 8448))
        #expect(resolve[try ServerName(parsing: "z.org:99")] == NetworkAddress(host: "fe80::1", port: 443))
        #expect(configuration.federation.batch.window == .milliseconds(250))
        #expect(configuration.federation.batch.lead == .immediate)
        #expect(configuration.federation.batch.stretch == .seconds(60))
        #expect(configuration.presence.statusTextLimitBytes == 100)
        #expect(configuration.storeFilePath == "/ssd/p.sqlite")
        #expect(configuration.tokenFilePath == "/var/lib/presenced/tokens.json")
        #expect(configuration.store.synchronous == .normal)
        #expect(configuration.log == .init(level: .debug, format: .json))
    }

    @Test func `every problem is named with its line, in the order of the lines`() {
        let text = """
            server_name: "no spaces allowed"
            client:
              cors: maybe
              body_limit: 64KB
              lissen: 127.0.0.1:1
            federation:
              batch:
                window: ten
                stretch: 60
              promise: 30s
              listen: localhost
              retry: {factor: two, jitter: 0.9}
              resolve: {y.org: nowhere}
            presence: [1, 2]
            log:
              level: loud
              format: null
            store:
              file: {name: x}
            """
        #expect(
            problems(text) == [
                "p.yaml:1: server_name: 'no spaces allowed' is not a Matrix server name; "
                    + "write example.org or example.org:8448",
                "p.yaml:3: client.cors: 'maybe' is neither true nor false",
                "p.yaml:4: client.body_limit: '64KB' is not a size; write 64KiB, 8MiB or a number of bytes",
                "p.yaml:5: client.lissen: is not a key; did you mean client.listen?",
                "p.yaml:8: federation.batch.window: 'ten' is not a duration; write 10s, 500ms, 5m, 1h",
                "p.yaml:9: federation.batch.stretch: '60' has no unit; write 10s, 500ms, 5m, 1h",
                "p.yaml:10: federation.promise: '30s' is out of range; write a duration from 1m to 1d",
                "p.yaml:11: federation.listen: 'localhost' is not an address; write 127.0.0.1:8008 or [::1]:8008",
                "p.yaml:12: federation.retry.factor: 'two' is not a number; write a number from 1 to 10",
                "p.yaml:12: federation.retry.jitter: '0.9' is out of range; write a number from 0 to 0.5",
                "p.yaml:13: federation.resolve: 'nowhere' is not an address; write 127.0.0.1:8008 or [::1]:8008",
                "p.yaml:14: presence: is a section; write its keys on the lines below, indented",
                "p.yaml:16: log.level: 'loud' is unknown; "
                    + "write one of trace, debug, info, notice, warning, error, critical",
                "p.yaml:17: log.format: has no value; write one of text, json, or remove the key",
                "p.yaml:19: store.file: takes one value, not a list or a section",
            ])
    }

    @Test(arguments: [
        ("listen: 1.2.3.4:1", "listen: is not a key; did you mean client.listen?"),
        ("clinet: {cors: true}", "clinet: is not a key; did you mean client?"),
        ("federation: {window: 1s}", "federation.window: is not a key; did you mean federation.batch.window?"),
        ("federation.enabled: true", "federation.enabled: is not a key; write each part as a section"),
        ("federation.batch.lead: window", "federation.batch.lead: is not a key; write each part as a section"),
        ("something: else", "something: is not a key"),
    ])
    func `an unknown key is told from its likely meaning`(line: String, message: String) {
        #expect(problems("server_name: x.org\n" + line) == ["p.yaml:2: " + message])
    }

    @Test(arguments: [
        ("[\"*.example.org\", x.org:8448]", nil), ("[]", nil),
        ("example.org", "is a list of lines such as - \"*.example.org\", indented; [] for none"),
        ("[[a]]", "holds what is no server name; write \"*.example.org\""),
        (
            "[\"https://x.org\"]",
            "'https://x.org' is neither a server name nor a pattern for one; write \"*.example.org\""
        ),
    ])
    func `patterns for servers are read as lists`(value: String, message: String?) {
        let found = problems("server_name: x.org\nfederation: {deny_servers: \(value)}") ?? []
        #expect(found == (message.map { ["p.yaml:2: federation.deny_servers: \($0)"] } ?? []))
    }

    @Test(arguments: ["", "# nothing\n", "client: {cors: false}"])
    func `a file needs the server's name`(text: String) {
        #expect(problems(text) == ["p.yaml: server_name: is missing; write a Matrix server name"])
    }

    @Test func `what is not YAML is named with its line`() {
        #expect(
            problems("server_name: x.org\nclient: {cors: true\nlog: 1")?.first?.hasPrefix("p.yaml:3: is not YAML: ")
                == true)
        #expect(problems("- a\n- b") == ["p.yaml:1: begin with keys, such as server_name: example.org"])
        #expect(
            problems("server_name: x.org\nlog: {level: info}\nlog: {level: debug}") == [
                "p.yaml:2: 'log': written more than once in the same section"
            ])
    }

    @Test(arguments: [
        (
            "federation:\n  batch:\n    window: 2m",
            "3: federation.batch.stretch: 1m is shorter than federation.batch.window (2m)"
        ),
        (
            "federation:\n  retry:\n    limit: 5s",
            "3: federation.retry.limit: 5s is shorter than federation.retry.first (10s)"
        ),
        (
            "federation:\n  watchdog:\n    long: 1m\n    short: 2m",
            "3: federation.watchdog.long: 1m is shorter than federation.watchdog.short (2m)"
        ),
        ("social:\n  timeout: 20s", "2: social.timeout: 20s is shorter than social.heartbeat (30s)"),
        (
            "federation:\n  enabled: true\n  listen: 127.0.0.1:8008",
            "3: federation.listen: '127.0.0.1:8008' is client.listen already; write another port"
        ),
        (
            "admin:\n  token_file: tokens.json",
            "2: admin.token_file: './presenced-data/tokens.json' is tokens.file already; write another file"
        ),
    ])
    func `keys must agree with each other`(text: String, message: String) {
        #expect(problems(text + "\nserver_name: x.org") == ["p.yaml:" + message])
    }

    @Test func `a key that could not be read is not compared with others`() {
        let found = problems("server_name: x.org\nfederation: {batch: {window: ten, stretch: 1s}}")
        #expect(found?.count == 1)
    }

    @Test func `files that are named must be there, and a certificate needs its key`() throws {
        let folder = try TemporaryFolder()
        let file = folder.path("presenced.yaml")
        try Data().write(to: URL(fileURLWithPath: folder.path("cert.pem")))
        let text = "server_name: x.org\nfederation:\n  tls: {certificate: cert.pem}\n  ca_file: gone.pem\n"
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        let error = #expect(throws: ConfigurationError.self) { try ConfigurationReader.read(file: file) }
        #expect(
            error?.description == """
                \(file):3: federation.tls.certificate: TLS needs a certificate and its key; \
                set federation.tls.key too, or neither
                \(file):4: federation.ca_file: '\(folder.path("gone.pem"))' is not there or cannot be read
                """)
        try Data("server_name: x.org\nfederation: {tls: {certificate: cert.pem, key: cert.pem}}".utf8)
            .write(to: URL(fileURLWithPath: file))
        let tls = try ConfigurationReader.read(file: file).configuration.federation.tls
        #expect(tls.pair?.certificate == folder.path("cert.pem"))
    }

    @Test func `a file that is not there or not text is named`() throws {
        let folder = try TemporaryFolder()
        let missing = #expect(throws: ConfigurationError.self) {
            try ConfigurationReader.read(file: folder.path("p.yaml"))
        }
        #expect(missing?.description == "\(folder.path("p.yaml")): cannot be read: there is no such file")
        try Data([0xFF, 0xFE, 0x00]).write(to: URL(fileURLWithPath: folder.path("p.yaml")))
        let binary = #expect(throws: ConfigurationError.self) {
            try ConfigurationReader.read(file: folder.path("p.yaml"))
        }
        #expect(binary?.description == "\(folder.path("p.yaml")): is not UTF-8 text of at most 1MiB")
    }

    @Test func `the bridge is told what does not go together`() throws {
        func said(_ bridge: String, _ more: String = "") -> [String]? {
            problems("server_name: x.org\nbridge: {\(bridge)}\n\(more)")
        }
        let url = "url: 'wss://s.example'"
        #expect(said("service: external, \(url)") == nil)
        #expect(said("service: external, url: 'ws://127.0.0.1:5000/social'") == nil)
        #expect(said("service: both, \(url)", "social: {enabled: true}") == nil)
        for (bridge, part) in [
            ("service: external", "set bridge.url too"),
            ("service: embedded", "set social.enabled to true"),
            ("service: both, \(url)", "set social.enabled to true"),
            ("url: 'ws://s.example'", "write wss://"),
            ("url: 'ws://127.example.org'", "write wss://"),
            ("url: 'https://s.example'", "is not the address of a WebSocket"),
            ("service: external, url: 'ws://127.0.0.1:8008/social'", "presenced itself"),
            ("service: external, \(url), matrix: homeserver", "registration too"),
            ("service: external, \(url), login: application_service", "registration too"),
            ("service: external, \(url), login: application_service, generation: v2", "v2 does not take"),
            ("service: external, \(url), tokens_file: t, generation: production", "takes no tokens"),
            ("tokens_file: presenced-data/admin.token", "is admin.token_file already"),
            ("ghost_prefix: 'Ghost '", "cannot begin the name"),
            ("ghost_prefix: g, embedded_ghost_prefix: g-", "begin alike"),
        ] {
            #expect(said(bridge)?.count == 1, "\(bridge): \(said(bridge) ?? [])")
            #expect(said(bridge)?.first?.contains(part) == true, "\(bridge): \(said(bridge) ?? [])")
        }
        // What is asked for behind the path may be a secret.
        #expect(said("url: 'ws://s.example/?key=secret'")?.first?.contains("secret") == false)
    }

    @Test func `the bridge's engine gets what was written`() throws {
        let text = """
            server_name: x.org
            social: {heartbeat: 45s, timeout: 3m}
            bridge: {participation: opt_out, links: 7, status_text: old_client, ghost_prefix: s-, ghosts: 9,
              links_by_rule: false, carry_blocks: false}
            """
        let reading = try ConfigurationReader.read(text, file: "p.yaml")
        #expect(reading.notes.isEmpty)
        var expected = BridgeEngine.Configuration()
        expected.participation = .optOut
        expected.linksLimit = 7
        expected.textForm = .oldClient
        expected.ghostPrefix = "s-"
        expected.ghostsLimit = 9
        expected.linkRule = .nobody
        expected.foreignGhostPrefixes = ["_world_"]
        expected.carriesBlocks = false
        expected.heartbeatEvery = .seconds(45)
        #expect(reading.configuration.bridgeConfiguration(for: .external) == expected)
        expected.socialTimeout = .minutes(3)
        (expected.linkRule, expected.ghostPrefix, expected.foreignGhostPrefixes) = (.localparts, "_world_", ["s-"])
        #expect(reading.configuration.bridgeConfiguration(for: .embedded) == expected)
    }

    /// What is said of `text`; `nil` if it is fine.
    private func problems(_ text: String) -> [String]? {
        do throws(ConfigurationError) {
            _ = try ConfigurationReader.read(text, file: "p.yaml")
            return nil
        } catch {
            return error.problems.map(\.description)
        }
    }
}
