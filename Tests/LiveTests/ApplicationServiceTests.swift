import AsyncHTTPClient
import Foundation
import MatrixWire
import Testing

/// A real presenced as a homeserver's application service, over sockets.
@Suite(.serialized) struct `Beside a homeserver, as its application service` {
    /// presenced, its registration, and the homeserver that it is beside.
    private final class Bench: Sendable {
        let scene: Scene
        let homeserver: StubHomeserver
        let adminPort: Int
        let servicePort: Int
        let homeserverToken: String

        init(bootstrap: String) async throws {
            scene = try Scene()
            homeserver = try await StubHomeserver.start(name: "x.org")
            let ports = try Scene.freePorts(3)
            (adminPort, servicePort) = (ports[1], ports[2])
            let plain = """
                server_name: x.org
                client: { listen: "127.0.0.1:\(ports[0])" }
                admin: { enabled: true, listen: "127.0.0.1:\(ports[1])" }
                homeserver:
                  url: http://127.0.0.1:\(homeserver.port)
                  application_service:
                    listen: 127.0.0.1:\(ports[2])
                    bootstrap: \(bootstrap)

                """
            let path = "\(scene.folder)/presenced.yaml"
            try (plain + "    registration: registration.yaml\n").write(toFile: path, atomically: true, encoding: .utf8)
            // Named in the configuration before it is there: it says what to do.
            let early = try await `The command line`.run(["serve", "--config", "presenced.yaml"], in: scene.folder)
            #expect(early.status == 1 && early.text.contains("generate-registration"), "\(early.text)")
            let made = try await `The command line`.run(
                ["generate-registration", "--config", "presenced.yaml"], in: scene.folder)
            #expect(made.status == 0 && made.text.contains("app_service_config_files"), "\(made.text)")
            let again = try await `The command line`.run(
                ["generate-registration", "--config", "presenced.yaml", "--output", "registration.yaml"],
                in: scene.folder)
            #expect(again.status == 1 && again.text.contains("exists already"), "\(again.text)")
            let registration = try String(contentsOfFile: "\(scene.folder)/registration.yaml", encoding: .utf8)
            func token(_ key: String) -> String {
                let line = registration.split(separator: "\n").first { $0.hasPrefix("\(key): ") }
                return line.map { String($0.dropFirst(key.count + 2)) } ?? ""
            }
            homeserverToken = token("hs_token")
            #expect(homeserverToken.utf8.count == 64 && registration.contains("url: 'http://127.0.0.1:\(ports[2])'"))
            homeserver.expect(token: token("as_token"))
        }

        func serve() async throws -> Child {
            let child = try Child(Scene.presenced, ["serve", "--config", "presenced.yaml"], in: scene.folder)
            for listener in ["client", "admin", "application_service"] {
                _ = try await child.line(with: "listener=\(listener)")
            }
            return child
        }

        func send(_ id: String, _ events: [String]) async throws -> Int {
            let body = #"{"events":[\#(events.joined(separator: ","))]}"#
            let url = "http://127.0.0.1:\(servicePort)/_matrix/app/v1/transactions/\(id)"
            return try await scene.client.ask("PUT", url, token: homeserverToken, json: body).status
        }

        func members(of room: String) async throws -> [String] {
            let token = try String(contentsOfFile: "\(scene.folder)/presenced-data/admin.token", encoding: .utf8)
            let url = "http://127.0.0.1:\(adminPort)/_presenced/admin/v1/rooms/\(PercentEncoding.encode(room))/members"
            let reply = try await scene.client.ask(
                "GET", url, token: token.trimmingCharacters(in: .whitespacesAndNewlines))
            return reply.json["members"]?.array?.compactMap(\.string) ?? []
        }
    }

    private static func member(_ user: String, _ membership: String, _ room: String, _ number: Int) -> String {
        #"{"type":"m.room.member","event_id":"$\#(number)","room_id":"\#(room)","sender":"\#(user)","#
            + #""state_key":"\#(user)","content":{"membership":"\#(membership)"}}"#
    }

    @Test(.timeLimit(.minutes(2))) func `what was acknowledged is there after a kill`() async throws {
        let bench = try await Bench(bootstrap: "none")
        var server = try await bench.serve()
        for round in 0..<3 {
            for number in 0..<20 {
                let user = "@u\(number):x.org"
                let event = Self.member(user, round == 1 ? "leave" : "join", "!r:x.org", round * 100 + number)
                #expect(try await bench.send("\(round)-\(number)", [event]) == 200)
            }
            #expect(await server.stop(signal: SIGKILL) != 0)
            server = try await bench.serve()
            let expected = round == 1 ? [] : (0..<20).map { "@u\($0):x.org" }.sorted()
            #expect(try await bench.members(of: "!r:x.org") == expected, "round \(round)")
        }
        #expect(await server.stop() == 0)
        try await bench.homeserver.stop()
    }

    @Test(.timeLimit(.minutes(2))) func `rooms are asked for when something happens, and once over all runs`()
        async throws
    {
        let bench = try await Bench(bootstrap: "lazy")
        bench.homeserver.setMembers(["@ada:x.org", "@bob:y.org", "@cec:x.org"], of: "!r:x.org")
        let message =
            #"{"type":"m.room.message","event_id":"$m","room_id":"!r:x.org","sender":"@ada:x.org","content":{}}"#
        var server = try await bench.serve()
        #expect(try await bench.send("1", [message]) == 200)
        try await bench.homeserver.waits("the members are there") {
            try await bench.members(of: "!r:x.org") == ["@ada:x.org", "@bob:y.org", "@cec:x.org"]
        }
        #expect(await server.stop() == 0)
        let before = bench.homeserver.questions.count
        server = try await bench.serve()
        try await bench.homeserver.waits("it is greeted again") {
            bench.homeserver.questions.dropFirst(before).contains { $0.hasSuffix("/ping") }
        }
        #expect(try await bench.send("2", [message]) == 200)
        bench.homeserver.setMembers(["@ada:x.org"], of: "!other:x.org")
        let other = message.replacing("!r:x.org", with: "!other:x.org")
        #expect(try await bench.send("3", [other]) == 200)
        try await bench.homeserver.waits("the other room is there") {
            try await bench.members(of: "!other:x.org") == ["@ada:x.org"]
        }
        #expect(bench.homeserver.questions.count { $0.contains("!r:x.org/joined_members") } == 1)
        #expect(try await bench.members(of: "!r:x.org").count == 3)
        #expect(await server.stop() == 0)
        try await bench.homeserver.stop()
    }

    @Test(.timeLimit(.minutes(2))) func `the measurement of a backlog runs`() async throws {
        let child = try Child(
            Scene.presenceLab, ["measure", "--backlog", "--backlog-events", "3000", "--presenced", Scene.presenced])
        #expect(await child.end() == 0, "\(child.text)")
        #expect(child.text.contains("3000 events") && child.text.contains("server memory, peak"))
    }
}
