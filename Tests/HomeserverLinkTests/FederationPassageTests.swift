import FederationEngine
import HomeserverLink
import MatrixHTTP
import MatrixWire
import NIOPosix
import PresenceModel
import PresenceRuntime
import Synchronization
import Testing

@testable import MatrixFederation

@Suite(.timeLimit(.minutes(2))) struct `Other servers' requests` {
    private static let send = "/_matrix/federation/v1/send"
    private static let poll = #"{"content":{"poll":["@u:x.org"],"push":[]},"edu_type":"m.presence"}"#

    /// The listener for other servers in front of a stub of a homeserver. It knows the key of `a.org` and can fetch none.
    private final class Passage: Sendable {
        let bench: LinkBench
        let tap: FederationTap
        let port: Int
        private let key = SigningKey.generate()
        private let server: Task<Void, any Error>

        init(_ homeserver: StubHomeserver) async throws {
            bench = try await LinkBench(homeserver)
            let name = try ServerName(parsing: "x.org")
            let transport = try FederationTransport(
                configuration: .init(), group: MultiThreadedEventLoopGroup.singleton, clock: bench.clock,
                logger: LinkBench.quiet)
            try await transport.shutdown()
            let gateway = FederationGateway(
                server: name, ownKeys: OwnKeys([.generate()]),
                keys: KeyRing(
                    pinned: [try ServerName(parsing: "a.org"): [key.id: key.publicKey]], transport: transport,
                    clock: bench.clock, validityLimit: .hours(1), logger: LinkBench.quiet),
                runtime: bench.runtime, configuration: .init(), clock: bench.clock, logger: LinkBench.quiet,
                isUser: { _ in true })
            tap = FederationTap(gateway)
            let passing = FederationPassThrough(
                PassThrough(upstream: bench.upstream, forwarding: Forwarding(trustedProxies: [])), tap: tap)
            let routes = RouteTable(gateway.ownRoutes) { request throws(MatrixErrorBody) in
                try await passing.answer(request)
            }
            (port, server) = try await LinkBench.listen(routes, origins: .sameOnly)
        }

        deinit { server.cancel() }

        func ask(
            _ method: String, _ target: String, from origin: String? = "a.org", _ body: String? = nil,
            signing signed: String? = nil, chunked: Bool = false
        ) async throws -> Wire.Message {
            let wire = try await Wire.connect(to: port)
            defer { wire.close() }
            var text = "\(method) \(target) HTTP/1.1\r\nHost: x.org\r\n"
            if let origin {
                let origin = try ServerName(parsing: origin)
                let bytes = SignedRequest.signingBytes(
                    method: method, uri: target, origin: origin, destination: try ServerName(parsing: "x.org"),
                    content: (signed ?? body).map { Array($0.utf8) })
                let header = XMatrixHeader(
                    origin: origin, destination: try ServerName(parsing: "x.org"), keyID: key.id,
                    signature: key.sign(bytes))
                text += "Authorization: \(header.text)\r\n"
            }
            let body = body ?? ""
            if chunked {
                text +=
                    "Transfer-Encoding: chunked\r\n\r\n\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
            } else {
                text += body.isEmpty ? "\r\n" : "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            }
            try await wire.send(text)
            return try #require(await wire.message())
        }

        var polls: UInt64 { get async { await bench.runtime.tally.pollsReceived } }

        /// Everything that was passed on has been looked at.
        func settled() async throws { try await waits { self.tap.underway == 0 } }

        func lastHeard() async throws -> Instant? {
            let origin = try ServerName(parsing: "a.org")
            return await bench.runtime.inspect { instance, now in instance.federation.peer(origin, at: now)?.lastHeard }
        }
    }

    private func transaction(_ edus: String...) -> String {
        #"{"edus":[\#(edus.joined(separator: ","))],"origin":"a.org","origin_server_ts":1,"pdus":[{"b": 1.0, "a":2}]}"#
    }

    @Test(arguments: [false, true])
    func `reach the homeserver to the byte, and presence is taken in behind it`(chunked: Bool) async throws {
        let passage = try await Passage(StubHomeserver(200, #"{"pdus":{}}"#))
        let body = transaction(Self.poll)
        let answer = try await passage.ask("PUT", "\(Self.send)/1%2F?x=%2f", body, chunked: chunked)
        #expect(answer.body == #"{"pdus":{}}"#)
        try await waits { await passage.polls == 1 }
        let request = try #require(passage.bench.homeserver.requests.first)
        #expect(request.firstLine == "PUT \(Self.send)/1%2F?x=%2f HTTP/1.1")
        #expect(request.body == body)
        #expect(request.values(of: "Authorization").count == 1)
    }

    @Test func `are taken in once, however often they come`() async throws {
        let passage = try await Passage(StubHomeserver(200, "{}"))
        for id in ["1", "1", "1/", "2"] {
            _ = try await passage.ask("PUT", "\(Self.send)/\(id)", transaction(Self.poll))
        }
        try await passage.settled()
        #expect(await passage.polls == 2)
        #expect(passage.bench.homeserver.requests.count == 4)
    }

    /// Its sender tells it until it is answered with 200, and not again. It is long, so that looking at it takes longer
    /// than answering.
    @Test func `are answered when the permission in them is taken in`() async throws {
        let passage = try await Passage(StubHomeserver(200, "{}"))
        let long = #"{"content":{"b":[\#(Array(repeating: "1", count: 100_000).joined(separator: ","))]}}"#
        for number in 1...4 {
            let asked = try UserID(parsing: "@u\(number):x.org")
            await passage.bench.runtime.submit(.presence(.userKnown(asked)))
            let type = number % 2 == 0 ? "m.presence_invite" : "org.presenced.presence_invite"
            let users = #"{"observed_user":"\#(asked)","observer_user":"@b:a.org"}"#
            let invite = #"{"content":\#(users),"edu_type":"\#(type)"}"#
            let answer = try await passage.ask("PUT", "\(Self.send)/\(number)", transaction(long, invite))
            #expect(answer.firstLine.contains("200"))
            let waiting = await passage.bench.runtime.read { engine, _ in engine.ownState(of: asked).waitingRequests }
            #expect(waiting == 1, "\(number)")
        }
        // What cannot be taken in is answered all the same: nobody's key is known of this one.
        let users = #"{"observed_user":"@u1:x.org","observer_user":"@b:b.org"}"#
        let strange = #"{"content":\#(users),"edu_type":"m.presence_invite"}"#
        let answer = try await passage.ask("PUT", "\(Self.send)/21", from: "b.org", transaction(strange))
        #expect(answer.firstLine.contains("200"))
    }

    @Test func `are not taken in unless the homeserver took them and the signature is good`() async throws {
        let homeserver = try await StubHomeserver { wire, request in
            try await wire.send(StubHomeserver.answer(request.firstLine.contains("/bad") ? 500 : 200, "{}"))
        }
        let passage = try await Passage(homeserver)
        #expect(try await passage.ask("PUT", "\(Self.send)/bad", transaction(Self.poll)).firstLine.contains("500"))
        let forged = try await passage.ask(
            "PUT", "\(Self.send)/1", transaction(Self.poll), signing: transaction(Self.poll, Self.poll))
        #expect(forged.firstLine.contains("200"))
        // Nobody's key is known of this one, and the answer does not wait for it.
        _ = try await passage.ask("PUT", "\(Self.send)/2", from: "b.org", transaction(Self.poll))
        _ = try await passage.ask("PUT", "\(Self.send)/3", from: nil, transaction(Self.poll))
        try await passage.settled()
        #expect(await passage.polls == 0)
        #expect(homeserver.requests.count == 4)
        _ = try await passage.ask("PUT", "\(Self.send)/bad2", transaction(Self.poll))
        _ = try await passage.ask("PUT", "\(Self.send)/4", transaction(Self.poll))
        try await passage.settled()
        #expect(await passage.polls == 1)
    }

    @Test func `are signs of life, whatever they ask for`() async throws {
        let passage = try await Passage(StubHomeserver(200, "{}"))
        let clock = passage.bench.clock
        _ = try await passage.ask("PUT", "\(Self.send)/1", transaction(Self.poll))
        try await passage.settled()
        #expect(try await passage.lastHeard() == clock.now)
        for (method, target, body) in [
            ("GET", "/_matrix/federation/v1/event/$e?x=1", nil), ("PUT", "\(Self.send)/2", transaction()),
            ("POST", "/_matrix/federation/v1/user/keys/query", "{}"),
        ] {
            clock.move(by: .seconds(6))
            _ = try await passage.ask(method, target, body)
            try await passage.settled()
            #expect(try await passage.lastHeard() == clock.now, "\(target)")
        }
        let before = clock.now
        clock.move(by: .seconds(6))
        _ = try await passage.ask("GET", "/_matrix/federation/v1/version", from: nil)
        _ = try await passage.ask("PUT", "/_matrix/federation/v1/invite/1", "{}", signing: "[]")
        try await passage.settled()
        #expect(try await passage.lastHeard() == before)
    }

    @Test func `for keys are the homeserver's to answer, for EDU types ours`() async throws {
        let passage = try await Passage(StubHomeserver(200, #"{"server_name":"x.org"}"#))
        #expect(try await passage.ask("GET", "/_matrix/key/v2/server", from: nil).body == #"{"server_name":"x.org"}"#)
        let types = try await passage.ask("GET", "/_matrix/federation/v1/query/edutypes", from: nil)
        #expect(types.body.contains(#""m.presence":true"#))
        #expect(passage.bench.homeserver.requests.map(\.firstLine) == ["GET /_matrix/key/v2/server HTTP/1.1"])
    }

    @Test func `too long to be kept pass all the same`() async throws {
        let passage = try await Passage(StubHomeserver(200, "{}"))
        let long = String(repeating: " ", count: passage.tap.bodyLimit)
        let answer = try await passage.ask("PUT", "\(Self.send)/1", transaction(Self.poll) + long)
        #expect(answer.firstLine.contains("200"))
        try await passage.settled()
        #expect(await passage.polls == 0)
        #expect(
            passage.bench.homeserver.requests.first?.body.utf8.count == transaction(Self.poll).utf8.count + long.count)
    }

    @Test func `are looked into only where they name EDUs of ours`() {
        for text in [
            #"{"edu_type":"m.presence"}"#, #"{"edu_type":"org.presenced.presence_invite"}"#, #""m.presence_deny"#,
        ] {
            #expect(FederationTap.isForUs(Array(text.utf8)), "\(text)")
        }
        for text in ["", "{}", #"{"edu_type":"m.typing"}"#, #""m.presenc"#, "m.presence"] {
            #expect(!FederationTap.isForUs(Array(text.utf8)), "\(text)")
        }
    }
}
