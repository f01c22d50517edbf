import BridgeEngine
import BridgeGateway
import ClientGateway
import Foundation
import Logging
import MatrixWire
import NIOPosix
import PresenceModel
import PresenceRuntime
import PresenceStore
import SocialBridge
import SocialEngine
import Synchronization
import Testing

@testable import presenced

@Suite struct `The bridge's files` {
    private let server: ServerName

    init() throws { server = try ServerName(parsing: "x.org") }

    @Test func `hold a user and an address on each line; what is none of this is named`() throws {
        let text = """
            # a comment
            @ann:x.org 0xABC

            \t@bob:x.org \t 0xdef\r
            @bob:x.org 0x1
            @cy:x.org 0xabc
            @dan:y.org 0x2
            @eve:x.org
            @fay:x.org 0x3 more
            @gus:x.org @ann:x.org
            hal 0x4
            """
        let reading = BridgeLines.links(in: text, of: server)
        #expect(reading.values.map { "\($0.user) \($0.address)" } == ["@ann:x.org 0xabc", "@bob:x.org 0xdef"])
        #expect(reading.badLines == [5, 6, 7, 8, 9, 10, 11])
        let long = String(repeating: "x", count: 5000)
        let tokens = BridgeLines.tokens(in: "@ann:x.org Tok\n@bob:x.org \(long)\n@ann:x.org other\n", of: server)
        #expect(tokens.values.map(\.text) == ["Tok"] && tokens.badLines == [2, 3])
        #expect(BridgeLines.tokens(in: "", of: server) == BridgeLines.Reading())
    }

    /// Takes and does nothing.
    private struct NoSide: SocialSide, MatrixSide {
        func carryOut(_ order: SocialOrder) {}
        func carryOut(_ order: MatrixOrder) {}
        func run(telling ears: any BridgeEars) async {}
        func report() async -> SocialSideReport { SocialSideReport() }
    }

    /// The parts of a bridge to both services, without sides.
    private func parts(
        _ folder: TemporaryFolder, _ store: PresenceStore, url: String = "wss://s.example/?key=secret"
    ) async throws -> (parts: BridgeParts, book: CredentialBook, log: RecordedLog) {
        let text = """
            server_name: x.org
            data_directory: .
            social: {enabled: true}
            bridge: {service: both, url: "\(url)", links_file: links, tokens_file: tokens}
            """
        let configuration = try ConfigurationReader.read(text, file: folder.path("p.yaml")).configuration
        let clock = AnchoredClock(wallMilliseconds: 1_790_000_000_000)
        let log = RecordedLog()
        let logger = Logger(label: "bridge") { _ in log }
        let book = try #require(
            try BridgeParts.book(configuration, store: store, login: nil, logger: logger))
        let sides = configuration.bridge.services.map { service in
            BridgeParts.Sides(service: service, social: NoSide(), matrix: NoSide())
        }
        let tokens = try TokenSource(file: TokenFile(path: folder.path("none.json")), server: server)
        let parts = try #require(
            try await BridgeParts(
                configuration, sides: sides, book: book, store: store, tokens: tokens, clock: clock, logger: logger))
        return (parts, book, log)
    }

    private func write(_ text: String, to path: String, mode: Int) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    private func token(_ book: CredentialBook) async throws -> String? {
        let credential = try? await book.credential(
            of: UserID(parsing: "@ann:x.org"), at: SocialAddress(parsing: "0xa"))
        guard case .token(let token) = credential else { return nil }
        return token
    }

    @Test func `are read before anything is opened, and followed; secrets that others may read are not`() async throws {
        let folder = try TemporaryFolder()
        try write("@ann:x.org 0xa\nnonsense\n", to: folder.path("links"), mode: 0o644)
        try write("@ann:x.org one\n", to: folder.path("tokens"), mode: 0o600)
        let store = try PresenceStore(path: folder.path("db"))
        let (parts, book, log) = try await parts(folder, store)
        #expect(await parts.desk.links(from: nil, limit: 10).rows.map(\.link.address.text) == ["0xa"])
        #expect(try await token(book) == "one")
        #expect(log.messages.filter { $0.contains("left out") }.count == 1)

        let following = Task { await parts.run() }
        try write("@ann:x.org two\n", to: folder.path("tokens"), mode: 0o640)
        try write("@ann:x.org 0xb\n", to: folder.path("links"), mode: 0o644)
        #expect(await comes { await parts.desk.links(from: nil, limit: 10).rows.map(\.link.address.text) == ["0xb"] })
        #expect(await comes { log.messages.contains { $0.contains("chmod 600") } })
        #expect(try await token(book) == "one")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: folder.path("tokens"))
        #expect(await comes { (try? await token(book)) == "two" })
        try FileManager.default.removeItem(atPath: folder.path("links"))
        #expect(await comes { await parts.desk.links(from: nil, limit: 10).rows.isEmpty })
        following.cancel()
        await following.value
        await parts.stop()
        try await store.close()
        #expect(!log.messages.contains { $0.contains("two") || $0.contains("one\n") })
    }

    @Test func `have parts that come back after a restart, and show no secret`() async throws {
        let folder = try TemporaryFolder()
        let user = try UserID(parsing: "@ann:x.org")
        var store = try PresenceStore(path: folder.path("db"))
        var (parts, book, _) = try await parts(folder, store)
        let link = Link(user: user, address: try SocialAddress(parsing: "0xa"))
        try await parts.desk.link(link, by: .operator)
        try await parts.desk.choose(BridgeChoice(participation: .yes, privacy: .stateOnly), of: user)
        try await parts.desk.handOver(
            HandedCredential(user: user, kind: .token, secret: "handed", address: link.address))
        await parts.stop()
        try await store.close()

        store = try PresenceStore(path: folder.path("db"))
        (parts, book, _) = try await self.parts(folder, store)
        let account = await parts.desk.account(of: user)
        #expect(account.view.link == link && account.view.sources == [.operator] && account.view.participates)
        #expect(account.view.privacy == .stateOnly && account.sessions.map(\.service) == [.external, .embedded])
        #expect(try await token(book) == "handed")
        #expect(await parts.desk.reports().map(\.setting.url) == ["wss://s.example:443/", nil])
        #expect(
            await parts.metrics.contains { $0.name == "presenced_bridge_links" && $0.samples.map(\.value) == [1, 0] })
        await parts.stop()
        try await store.close()
    }

    @Test func `have parts that keep nothing of who is gone`() async throws {
        let folder = try TemporaryFolder()
        let user = try UserID(parsing: "@ann:x.org")
        let store = try PresenceStore(path: folder.path("db"))
        let (parts, book, log) = try await parts(folder, store)
        let link = Link(user: user, address: try SocialAddress(parsing: "0xa"))
        try await parts.desk.link(link, by: .operator)
        try await parts.desk.handOver(
            HandedCredential(user: user, kind: .token, secret: "handed", address: link.address))
        #expect(try store.credentials().count == 1)
        await parts.runtime(of: .external)?.submit(.userGone(user))
        #expect(await comes { (try? store.credentials())?.isEmpty == true })
        #expect(await comes { (try? await token(book)) == .some(nil) })
        #expect(log.messages.contains { $0.contains("account was closed") })
        await parts.stop()
        try await store.close()
    }

    @Test func `have parts that know nothing of friendships in another service`() async throws {
        let folder = try TemporaryFolder()
        let (ann, bob) = (try UserID(parsing: "@ann:x.org"), try UserID(parsing: "@bob:x.org"))
        let (low, high) = (try SocialAddress(parsing: "0xa"), try SocialAddress(parsing: "0xb"))
        let pair = PairMemory(firstUser: ann, secondUser: bob, aim: .friends, matrix: .friends, social: .friends)
        for (url, dropped) in [("wss://one.example/x", 0), ("wss://one.example:443/x?y", 0), ("wss://two.example", 1)] {
            let store = try PresenceStore(path: folder.path("db"))
            if dropped == 0 { try await store.bridge(.external).write([.pair(low, high, pair)]) }
            let (parts, _, log) = try await parts(folder, store, url: url)
            let known = await parts.runtime(of: .external)?.read { engine, _ in engine.socialAcquaintances(of: low) }
            #expect(known == (dropped == 0 ? [high] : []))
            let lines = log.messages.filter { $0.contains("another service") }
            #expect(lines.count == dropped && lines.allSatisfy { $0.contains("was=one.example:443/x v1") })
            await parts.stop()
            try await store.close()
        }
    }

    /// Whether it comes to hold within ten seconds.
    private func comes(_ condition: () async -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if await condition() { return true }
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            try? await loop.scheduleTask(in: .milliseconds(5)) {}.futureResult.get()
        }
        return false
    }
}

/// Keeps what is logged.
struct RecordedLog: LogHandler {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private let lines = Lines()
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    var messages: [String] { lines.all.withLock { $0 } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        lines.all.withLock { $0.append(([event.message.description] + facts).joined(separator: " ")) }
    }
}
