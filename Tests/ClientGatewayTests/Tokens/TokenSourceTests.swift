import Foundation
import PresenceModel
import Synchronization
import Testing

@testable import ClientGateway

@Suite struct TokenSourceTests {
    /// A clock that moves when told.
    private final class HandClock: Sendable {
        private let time = Mutex(Instant(millisecondsSinceEpoch: 1_700_000_000_000))
        var now: Instant { time.withLock { $0 } }
        func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
    }

    private let folder: TemporaryFolder
    private let file: TokenFile
    private let alice: UserID
    private let clock = HandClock()

    init() throws {
        folder = try TemporaryFolder()
        file = TokenFile(path: folder.path("tokens.json"))
        alice = try UserID(parsing: "@alice:x.org")
    }

    @Test func `a token that was there at the start is known`() throws {
        let issued = try issue("PHONE")
        let source = try makeSource()
        #expect(source.authenticate(issued.token.text) == issued.key)
        #expect(source.authenticate("prs_wrong") == nil)
        #expect(source.authenticate("") == nil)
        #expect(source.authenticate(String(repeating: "x", count: 2000)) == nil)
        #expect(source.refresh() == .init(vanished: [], arrived: [], problem: nil))
    }

    @Test func `a new token works at once`() throws {
        let source = try makeSource()
        for device in ["PHONE", "TABLET", "WATCH"] {
            #expect(source.authenticate("prs_wrong") == nil)
            let issued = try issue(device)
            #expect(source.authenticate(issued.token.text) == issued.key)
        }
    }

    @Test func `a known token is answered without the file`() throws {
        let issued = try issue("PHONE")
        let source = try makeSource()
        try FileManager.default.removeItem(atPath: file.path)
        #expect(source.authenticate(issued.token.text) == issued.key)
        #expect(source.refresh().vanished == [issued.key])
        #expect(source.authenticate(issued.token.text) == nil)
    }

    @Test func `a user with a first token arrives once`() throws {
        _ = try issue("PHONE")
        let source = try makeSource()
        #expect(source.users == [alice])
        _ = try issue("TABLET")
        let bob = try UserID(parsing: "@bob:x.org")
        let issued = try file.create(user: bob, device: nil, at: clock.now)
        #expect(source.authenticate(issued.token.text) == issued.key)
        #expect(source.refresh() == .init(vanished: [], arrived: [bob], problem: nil))
        #expect(source.refresh() == .init(vanished: [], arrived: [], problem: nil))
        #expect(source.users == [alice, bob])
    }

    @Test func `a revoked token ends with the next refresh, which tells its device once`() throws {
        let (phone, tablet) = (try issue("PHONE"), try issue("TABLET"))
        let source = try makeSource()
        _ = try file.revoke(user: alice, device: phone.key.device)
        #expect(source.refresh() == .init(vanished: [phone.key], arrived: [], problem: nil))
        #expect(source.authenticate(phone.token.text) == nil)
        #expect(source.authenticate(tablet.token.text) == tablet.key)
        #expect(source.refresh() == .init(vanished: [], arrived: [], problem: nil))
    }

    @Test func `a token that was replaced has vanished although its device has another`() throws {
        _ = try issue("PHONE")
        let source = try makeSource()
        let second = try issue("PHONE")
        #expect(source.refresh().vanished == [second.key])
        #expect(source.authenticate(second.token.text) == second.key)
    }

    @Test func `what an unknown token made the source notice is told by the next refresh`() throws {
        let issued = try issue("PHONE")
        let source = try makeSource()
        _ = try file.revoke(token: issued.token.text)
        #expect(source.authenticate("prs_unknown") == nil)
        #expect(source.authenticate(issued.token.text) == nil)
        #expect(source.refresh().vanished == [issued.key])
        #expect(source.refresh().vanished.isEmpty)
    }

    @Test func `a file that becomes malformed keeps the tokens of before and is told once`() throws {
        let issued = try issue("PHONE")
        let good = try Data(contentsOf: URL(fileURLWithPath: file.path))
        let source = try makeSource()
        try write(Data("{".utf8))
        let change = source.refresh()
        #expect(change.vanished.isEmpty)
        #expect(change.problem?.code == .malformed && change.problem?.path == file.path)
        #expect(source.authenticate(issued.token.text) == issued.key)
        #expect(source.refresh() == .init(vanished: [], arrived: [], problem: nil))
        try write(Data("{{".utf8))
        #expect(source.refresh().problem?.code == .malformed)
        try write(good)
        #expect(source.refresh() == .init(vanished: [], arrived: [], problem: nil))
        #expect(source.authenticate(issued.token.text) == issued.key)
    }

    @Test func `a malformed file at the start is refused`() throws {
        try write(Data("nonsense".utf8))
        #expect(throws: TokenFileError.self) { try makeSource() }
    }

    @Test func `tokens of users of another server open nothing, and are counted`() throws {
        let issued = try issue("PHONE")
        let source = try TokenSource(file: file, server: ServerName(parsing: "y.org"))
        #expect(source.strangers == 1)
        #expect(source.authenticate(issued.token.text) == nil)
        #expect(source.users.isEmpty && !source.knows(alice))
        let other = try file.create(
            user: UserID(parsing: "@bob:y.org"), device: DeviceID(parsing: "D"), at: clock.now)
        #expect(source.authenticate(other.token.text) == other.key)
        #expect(source.authenticate(issued.token.text) == nil)
    }

    @Test func `many threads may ask while the file changes`() async throws {
        let stays = try issue("PHONE")
        let source = try makeSource()
        let (file, alice, clock) = (file, alice, clock)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask {
                    for _ in 0..<20 {
                        let device = try DeviceID(parsing: "D\(number)")
                        let issued = try file.create(user: alice, device: device, at: clock.now)
                        _ = source.refresh()
                        #expect(source.authenticate(issued.token.text) == issued.key)
                        #expect(source.authenticate(stays.token.text) == stays.key)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func makeSource() throws -> TokenSource {
        try TokenSource(file: file, server: alice.server)
    }

    private func issue(_ device: String) throws -> IssuedToken {
        try file.create(user: alice, device: try DeviceID(parsing: device), at: clock.now)
    }

    /// In place, without presenced's care.
    private func write(_ bytes: Data) throws { try bytes.write(to: URL(fileURLWithPath: file.path)) }
}
