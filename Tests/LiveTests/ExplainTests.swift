import Foundation
import MatrixWire
import Testing

/// What an operator asks a running server about who sees whom, and about other servers.
@Suite(.serialized) struct `The operator asks` {
    private func ask(_ server: Presenced, _ arguments: String...) async throws -> String {
        let (status, text) = try await `The command line`.run(
            arguments + ["--config", "presenced.yaml"], in: server.folder)
        #expect(status == 0, "\(arguments): \(text)")
        return text
    }

    private func kind(of other: Presenced, by server: Presenced) async throws -> String? {
        let answer = try JSONParser.strict.parse(Array(try await ask(server, "peers", "--json").utf8)).value
        let peers = answer["peers"]?.array ?? []
        return peers.first { $0["server"]?.string == other.settings.name }?["kind"]?.string
    }

    @Test(.timeLimit(.minutes(3))) func `why somebody is seen, and what became of a server that died`() async throws {
        let pair = try await `Two servers`.pair(federation: ["watchdog: { short: 5s }", "silent_after: 3"])
        let (north, south) = (pair.north, pair.south)
        let ada = try await north.user("ada")
        let cleo = try await south.user("cleo")
        #expect(try await north.put(ada, "online", text: "secret").status == 200)
        #expect(try await south.put(cleo, "online").status == 200)
        #expect(try await ask(north, "peers").contains("No other server is known."))
        #expect(try await ask(north, "explain", "ada", cleo.id).contains("there is no leave and no room"))

        // Cleo asks, and waits.
        #expect(try await south.add(ada.id, by: cleo).status == 200)
        try await north.waits("the request is there", as: ada) {
            try await ask(north, "explain", "ada", cleo.id).contains("they asked, and \(ada.id) has not answered")
        }
        #expect(
            try await ask(south, "explain", ada.id, cleo.id).contains("and \(north.settings.name) has not answered"))

        // Ada wants to see Cleo too, which lets Cleo see her.
        #expect(try await north.add(cleo.id, by: ada).status == 200)
        try await south.waits(for: ada.id, toBe: "online", text: "secret", as: cleo)
        try await north.waits(for: cleo.id, toBe: "online", as: ada)
        let granted = try await ask(north, "explain", "ada", cleo.id)
        #expect(granted.hasPrefix("\(cleo.id) sees \(ada.id): \(ada.id) gave them leave"))
        #expect(granted.contains("was told of \(ada.id): online") && !granted.contains("secret"))
        let seen = try await ask(south, "explain", ada.id, cleo.id)
        #expect(seen.contains("agreed since") && seen.contains("promised to tell of changes"))
        #expect(try await ask(north, "explain", "ada", south.settings.name).contains("gave leave to \(cleo.id)"))
        let table = try await ask(north, "peers")
        #expect(table.contains(south.settings.name) && table.contains("capable") && table.contains("1 server"))

        // Cleo's server dies: after three short watchdogs it is silent.
        await south.child.stop(signal: SIGKILL)
        try await north.waits("the other server is silent", as: ada, within: 90) {
            try await kind(of: south, by: north) == "silent"
        }
        #expect(try await ask(north, "peers").contains("silent"))
        #expect(try await north.put(ada, "unavailable", text: "secret").status == 200)
        let waiting = try await ask(north, "explain", "ada", cleo.id)
        #expect(waiting.contains("wait: it does not answer since"), "\(waiting)")
        let unknown = try await ask(north, "explain", cleo.id, ada.id)
        #expect(unknown.contains("\(cleo.id) is unknown") && unknown.contains("does not answer any more"))

        // And ends with a word of it.
        let returned = try await south.restarted()
        try await north.waits("the other server is back", as: ada, within: 90) {
            try await kind(of: returned, by: north) == "capable"
        }
        #expect(await north.child.stop() == 0)
        #expect(await returned.child.stop() == 0)
        let (status, text) = try await `The command line`.run(
            ["peers", "--config", "presenced.yaml"], in: north.folder)
        #expect(status == 1 && text.contains("Is it running"))
    }

    @Test func `and is told what to do where nothing can be asked`() async throws {
        let scene = try Scene()
        let port = try Scene.freePorts(1)[0]
        func run(_ admin: String, _ arguments: String...) async throws -> String {
            try "server_name: example.org\nadmin: { \(admin) }\n".write(
                toFile: "\(scene.folder)/presenced.yaml", atomically: true, encoding: .utf8)
            let (status, text) = try await `The command line`.run(
                arguments + ["--config", "presenced.yaml"], in: scene.folder)
            #expect(status != 0)
            return text
        }
        #expect(try await run("enabled: false", "peers").contains("Set 'admin: { enabled: true }' in presenced.yaml"))
        let enabled = "enabled: true, listen: \"127.0.0.1:\(port)\", token_file: admin.token"
        #expect(try await run(enabled, "peers").contains("start it with this configuration"))
        try FileManager.default.createDirectory(
            atPath: "\(scene.folder)/presenced-data", withIntermediateDirectories: true)
        try "short".write(
            toFile: "\(scene.folder)/presenced-data/admin.token", atomically: true, encoding: .utf8)
        #expect(try await run(enabled, "peers").contains("holds no token"))
        try "a-token-that-is-long-enough".write(
            toFile: "\(scene.folder)/presenced-data/admin.token", atomically: true, encoding: .utf8)
        #expect(try await run(enabled, "explain", "ada", "y.org").contains("does not answer at 127.0.0.1:\(port)"))
        #expect(try await run(enabled, "explain", "ada", "no server").contains("neither a user"))
        #expect(try await run(enabled, "explain", "@ada", "y.org").contains("is not a user"))
        #expect(try await run(enabled, "peers", "--limit", "0").contains("from 1 to 1000"))
    }
}
