import Foundation
import MatrixWire
import Testing

/// What an operator types.
struct `The command line` {
    static func run(_ arguments: [String], in folder: String? = nil) async throws -> (status: Int32, text: String) {
        let child = try Child(Scene.presenced, arguments, in: folder)
        let status = await child.end()
        return (status, child.text)
    }

    @Test func `tells its version`() async throws {
        let (status, text) = try await `The command line`.run(["--version"])
        #expect(status == 0 && text.contains("0.1.0"))
    }

    @Test func `makes a key once, and never over another`() async throws {
        let scene = try Scene()
        let path = "\(scene.folder)/signing.key"
        #expect(try await `The command line`.run(["generate-key", "--output", path]).status == 0)
        let first = try String(contentsOfFile: path, encoding: .utf8)
        #expect(first.hasPrefix("ed25519 p_"))
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let (status, text) = try await `The command line`.run(["generate-key", "--output", path])
        #expect(status == 1 && text.contains("exists already"))
        #expect(try String(contentsOfFile: path, encoding: .utf8) == first)
    }

    @Test func `rotates no key that a homeserver publishes`() async throws {
        let scene = try Scene()
        let path = "\(scene.folder)/signing.key"
        #expect(try await `The command line`.run(["generate-key", "--output", path]).status == 0)
        let key = try String(contentsOfFile: path, encoding: .utf8)
        let federation = "federation: { signing_key: signing.key }"
        for (name, more) in [("url.yaml", "homeserver: { url: \"http://127.0.0.1:9\" }"), ("id.yaml", "")] {
            let text =
                "server_name: example.org\n"
                + (more.isEmpty
                    ? federation.replacing(" }", with: ", signing_key_id: \"ed25519:x\" }") : "\(federation)\n\(more)")
            try "\(text)\n".write(toFile: "\(scene.folder)/\(name)", atomically: true, encoding: .utf8)
            let refused = try await `The command line`.run(["rotate-key", "--config", name], in: scene.folder)
            #expect(refused.status == 1 && refused.text.contains("The homeserver publishes"), "\(refused.text)")
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == key)
    }

    @Test func `the doctor reads no further than a configuration that cannot be read`() async throws {
        let scene = try Scene()
        try "server_name: example.org\nclient: { lissen: 1 }\n".write(
            toFile: "\(scene.folder)/bad.yaml", atomically: true, encoding: .utf8)
        let (status, text) = try await `The command line`.run(["doctor", "--config", "bad.yaml"], in: scene.folder)
        #expect(status == 1 && text.contains("failed    configuration: bad.yaml:2: client.lissen"), "\(text)")
        #expect(text.contains("left out  everything else") && text.contains("1 failed, 1 left out."))
    }

    @Test func `checks a configuration and names what is wrong with it`() async throws {
        let good = try await `The command line`.run(["check-config", "\(LivePart.root)/Config/presenced.yaml"])
        #expect(good.status == 0)
        let scene = try Scene()
        try "server_name: example.org\nclient:\n  lissen: 1\npresence: { idle_after: soon }\n".write(
            toFile: "\(scene.folder)/bad.yaml", atomically: true, encoding: .utf8)
        for command in [["check-config", "bad.yaml"], ["serve", "--config", "bad.yaml"]] {
            let (status, text) = try await `The command line`.run(command, in: scene.folder)
            #expect(status == 1)
            #expect(text.contains("client.lissen") && text.contains("did you mean client.listen"))
            #expect(text.contains("presence.idle_after") && text.contains("'soon'"))
        }
    }

    @Test(.timeLimit(.minutes(1))) func `makes and takes back tokens under a running server`() async throws {
        let scene = try Scene()
        let port = try Scene.freePorts(1)[0]
        try "server_name: example.org\nclient: { listen: \"127.0.0.1:\(port)\" }\n".write(
            toFile: "\(scene.folder)/presenced.yaml", atomically: true, encoding: .utf8)
        let server = try Child(Scene.presenced, ["serve", "--config", "presenced.yaml"], in: scene.folder)
        _ = try await server.line(with: "listener=client")
        let made = try await `The command line`.run(
            ["token", "create", "alice", "--device", "D", "--json", "--config", "presenced.yaml"], in: scene.folder)
        let token = try #require(try JSONParser.lenient.parse(Array(made.text.utf8)).value["access_token"]?.string)
        let stream = "http://127.0.0.1:\(port)\(Presenced.own)/stream"
        #expect(try await scene.client.ask("GET", "\(stream)?timeout=0", token: token).status == 200)

        // A stream that is open when its token is taken back ends.
        async let open = scene.client.ask("GET", stream, token: token)
        let listed = try await `The command line`.run(
            ["token", "list", "--config", "presenced.yaml"], in: scene.folder)
        #expect(listed.text.contains("@alice:example.org  D") && !listed.text.contains(token))
        let revoked = try await `The command line`.run(
            ["token", "revoke", "alice", "--config", "presenced.yaml"], in: scene.folder)
        #expect(revoked.status == 0)
        _ = try await open
        let after = try await scene.client.ask("GET", "\(stream)?timeout=0", token: token)
        #expect(after.status == 401 && after.errcode == "M_UNKNOWN_TOKEN")
        #expect(await server.stop() == 0)
        #expect(!server.text.contains(token))
    }

    @Test(.timeLimit(.minutes(1))) func `logs one JSON object a line when told to`() async throws {
        let scene = try Scene()
        let port = try Scene.freePorts(1)[0]
        try "server_name: example.org\nclient: { listen: \"127.0.0.1:\(port)\" }\nlog: { format: json }\n".write(
            toFile: "\(scene.folder)/presenced.yaml", atomically: true, encoding: .utf8)
        let server = try Child(Scene.presenced, ["serve", "--config", "presenced.yaml"], in: scene.folder)
        let line = try JSONParser.strict.parse(Array(try await server.line(with: "listening").utf8)).value
        #expect(line["metadata"]?["port"]?.string == "\(port)" && line["level"]?.string == "info")
        let time = try #require(line["time"]?.string)
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        #expect(try Date(time, strategy: style) > Date(timeIntervalSince1970: 1_700_000_000))
        #expect(await server.stop() == 0)
    }

    @Test(.timeLimit(.minutes(1))) func `runs without a configuration and prints curl that works`() async throws {
        let scene = try Scene()
        let server = try Child(Scene.presenced, ["serve"], in: scene.folder)
        let put: String
        do {
            _ = try await server.line(with: "Stop with Ctrl-C", within: 10)
            put = server.text
        } catch {
            // Its port is fixed, and may be taken on the machine; then it says so.
            #expect(server.text.contains("cannot listen"))
            return
        }
        let command = try #require(put.range(of: #"curl -X PUT[^}]*\}'"#, options: .regularExpression))
        let script = "\(put[command]) --silent --show-error --write-out ' %{http_code}'; echo"
        let child = try Child("/bin/sh", ["-c", script])
        #expect(try await child.line(with: "200").contains("{}"))
        #expect(await server.stop() == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(scene.folder)/presenced-data")
        #expect(names.contains("presenced.sqlite") && names.contains("tokens.json"))
    }
}

/// The developers' executable.
struct `The simulation` {
    @Test func `prints the same digest for one seed in two processes, and another for another`() async throws {
        func digest(_ seed: Int) async throws -> Substring {
            let lab = try Child(Scene.presenceLab, ["simulate", "--seed", "\(seed)", "--hours", "0.25"])
            #expect(await lab.end() == 0, "\(lab.text)")
            let words = lab.text.split(separator: " ")
            return try #require(words.firstIndex(of: "digest").map { words[$0 + 1] })
        }
        let first = try await digest(7)
        #expect(try await digest(7) == first)
        #expect(try await digest(8) != first)
    }
}
