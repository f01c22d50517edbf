import Foundation
import PresenceModel
import PresenceStore
import SocialEngine
import Testing

@Suite(.timeLimit(.minutes(2))) struct `Friendships through kill -9` {
    @Test(arguments: 1...20) func `are there if they were acknowledged`(round: Int) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "presenced-social-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "state/presenced.db").path
        let child = try Child(try Scene.presenceLab, ["befriend", "--store", file])
        // At an instant that is another one in every round, whatever it is doing then.
        _ = try await child.line(with: "friends \(round * 37) ")
        await child.stop(signal: SIGKILL)
        var acknowledged: [SocialPair] = []
        // What was cut off in the middle of a line was not acknowledged.
        for line in child.text.split(separator: "\n") where line.hasPrefix("friends ") && line.hasSuffix(".") {
            let words = line.dropLast().split(separator: " ")
            let (one, other) = (try SocialAddress(parsing: words[2]), try SocialAddress(parsing: words[3]))
            acknowledged.append(try #require(SocialPair(one, other)))
        }
        #expect(acknowledged.count > round)
        let store = try PresenceStore(path: file)
        let rows = try store.loadSocial { Issue.record("skipped \($0)") }.friendships
        let friends = Set(rows.filter { $0.friendship.state == .friends }.map(\.pair))
        #expect(acknowledged.allSatisfy { friends.contains($0) })
        for pair in acknowledged.suffix(20) {
            let actions = try store.history(of: pair).map(\.action)
            #expect(actions == [.request(message: "hello"), .accept])
        }
        try await store.close()
    }
}
