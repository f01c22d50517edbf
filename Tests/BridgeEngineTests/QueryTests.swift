import PresenceModel
import SocialEngine
import Testing

@testable import BridgeEngine

@Suite struct `What is asked of the bridge` {
    private let now = Instant(millisecondsSinceEpoch: 1_000_000)

    private func link(_ user: String, _ address: String) throws -> Link {
        Link(user: try UserID(parsing: user), address: try SocialAddress(parsing: address))
    }

    private func engine(_ adjust: (inout BridgeEngine.Configuration) -> Void = { _ in }) throws -> BridgeEngine {
        var settings = BridgeEngine.Configuration()
        adjust(&settings)
        return BridgeEngine(server: try ServerName(parsing: "x.org"), configuration: settings, seed: 1)
    }

    /// Whatever table there is: what is refused beforehand is refused, and what is not is taken.
    @Test func `is refused before as it is refused then`() throws {
        let users = ["@a:x.org", "@b:x.org", "@c:other.org"]
        let addresses = ["0xa", "0xb"]
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<300 {
            var engine = try engine { $0.linksLimit = Int.random(in: 1...2, using: &generator) }
            for _ in 0..<8 {
                let link = try link(
                    users.randomElement(using: &generator) ?? "", addresses.randomElement(using: &generator) ?? "")
                let source = LinkSource.allCases.randomElement(using: &generator) ?? .file
                let refusal = engine.refusal(of: link, by: source)
                let isRefused = engine.handle(.linkAdded(link, source), at: now).contains { effect in
                    if case .note(.linkRefused) = effect { true } else { false }
                }
                #expect((refusal != nil) == isRefused)
                #expect(isRefused || engine.view(of: link.user).sources.contains(source))
            }
        }
    }

    @Test func `may give way where the same source speaks of the same user`() throws {
        var engine = try engine()
        _ = engine.handle(.linkAdded(try link("@a:x.org", "0xa"), .operator), at: now)
        let other = try link("@a:x.org", "0xb")
        #expect(engine.refusal(of: other, by: .operator) == .taken(by: try link("@a:x.org", "0xa"), .operator))
        #expect(engine.refusal(of: other, by: .operator, replacingOwn: true) == nil)
        #expect(engine.refusal(of: other, by: .file, replacingOwn: true) != nil)
        #expect(engine.refusal(of: try link("@b:x.org", "0xa"), by: .operator, replacingOwn: true) != nil)
        _ = engine.handle(.linkAdded(try link("@a:x.org", "0xa"), .proof), at: now)
        #expect(engine.refusal(of: other, by: .operator, replacingOwn: true) != nil)
    }

    @Test func `counts ghosts that stand for somebody, after a restart too`() throws {
        var bench = try BridgeBench()
        let (alice, own) = (try user("alice"), try address("0xa"))
        let (friend, stranger) = (try address("0xe"), try address("0xf"))
        let pair = PairMemory(
            firstUser: alice, secondUser: try user("_social_0xe"), aim: .friends, matrix: .friends, social: .friends)
        bench.perform(
            .restored([
                .link(Link(user: alice, address: own), [.operator]), .ghost(friend), .ghost(stranger),
                .pair(own, friend, pair),
            ]))
        #expect(bench.engine.counts.ghosts == 1)
        // Its row is not taken back: it was made.
        #expect(bench.records.isEmpty)
    }

    @Test func `of one user is the link, the choice and the session`() throws {
        var engine = try engine()
        let link = try link("@a:x.org", "0xa")
        #expect(engine.view(of: link.user).link == nil && !engine.view(of: link.user).participates)
        _ = engine.handle(.linkAdded(link, .file), at: now)
        _ = engine.handle(.linkAdded(link, .proof), at: now)
        var view = engine.view(of: link.user)
        #expect(view.link == link && view.sources == [.file, .proof] && view.participates && view.choice == nil)
        #expect(!view.isOpen && view.closedSince == now)
        _ = engine.handle(.sessionOpened(link.address), at: now)
        _ = engine.handle(.privacyChosen(link.user, .hidden), at: now)
        view = engine.view(of: link.user)
        #expect(view.isOpen && view.closedSince == nil && view.privacy == .hidden)
        #expect(engine.counts == .init(links: 1, members: 1, open: 1, beating: 0, ghosts: 0))
        _ = engine.handle(.participationChosen(link.user, false), at: now)
        #expect(!engine.view(of: link.user).participates && engine.view(of: link.user).choice == false)
        #expect(engine.counts == .init(links: 1, members: 0, open: 0, beating: 0, ghosts: 0))
    }
}
