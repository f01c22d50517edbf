import PresenceModel
import Testing

@testable import AdminGateway
@testable import FederationEngine

struct `Sendings in words` {
    private let now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    private let ada: UserID
    private let server: ServerName

    init() throws {
        ada = try UserID(parsing: "@ada:x.org")
        server = try ServerName(parsing: "y.org")
    }

    private var words: TellingWords { TellingWords(user: ada, server: server, time: TimeWords(now: now)) }

    private func peer() -> PeerView {
        PeerView(
            server: server, dialect: .capable, audience: 1, promisesGiven: 1, wanted: 1, promisesHeld: 1,
            statesWaiting: 0, pollsWaiting: 0, permissionsWaiting: 0, isUnderway: false, failures: 0,
            counts: PeerCounts())
    }

    @Test func `every reason why something is sent or not has a sentence of its own`() {
        let ago = now.advanced(byMilliseconds: -30_000)
        let ahead = now + .seconds(30)
        let deliveries: [FederationEngine.Delivery] = [
            .noAudience, .underway(since: ago), .tryingAgain(at: ahead), .optedOut(until: ahead), .silent(since: ago),
            .behind(since: ago), .backingOff(until: ahead), .gathering(opened: ago, closes: ahead), .leaving,
            .told(at: ago), .cancelledOut(toldAt: ago), .notWanted, .largeRooms, .unchanged,
        ]
        var texts: Set<String> = []
        for delivery in deliveries {
            let said = words.sentences(FederationEngine.Telling(delivery: delivery))[0]
            #expect(said.fact == delivery.name)
            #expect(said.text.contains("@ada:x.org") && said.text.hasSuffix(".") && said.text.contains("y.org"))
            texts.insert(said.text)
        }
        #expect(texts.count == deliveries.count)
        let telling = FederationEngine.Telling(
            delivery: .told(at: ago), reach: .near, promisedUntil: ahead, told: .busy, toldAt: ago, peer: peer())
        #expect(
            words.sentences(telling).map(\.fact) == ["told", "last_told", "promise_given", "kind_capable", "contact"])
        #expect(words.sentences(telling)[1].text.contains("busy, 2023-11-14T22:12:50Z (30 s ago)"))
    }

    @Test func `every state of a question has a sentence of its own`() {
        var texts: Set<String> = []
        for state in FederationEngine.Asking.State.allCases {
            let said = words.sentences(FederationEngine.Asking(state: state, isHeld: false))[0]
            #expect(said.fact == "asking_\(state.rawValue)" && said.text.hasSuffix("."))
            texts.insert(said.text)
        }
        #expect(texts.count == FederationEngine.Asking.State.allCases.count)
        let promised = FederationEngine.Asking(state: .promised, promisedUntil: now + .minutes(5), isHeld: true)
        #expect(words.sentences(promised)[0].text.contains("until 2023-11-14T22:18:20Z (in 5 min)"))
        #expect(words.sentences(promised).map(\.fact) == ["asking_promised", "held", "peer_unknown"])
    }

    @Test func `a server that is silent, opted out, failing, or out with a transaction`() {
        let words = PeerWords(server: server, time: TimeWords(now: now))
        var peer = peer()
        peer.silentSince = now.advanced(byMilliseconds: -90_000)
        #expect(words.sentences(peer)[0].fact == "kind_silent")
        #expect(words.sentences(peer)[0].text.contains("does not answer since 2023-11-14T22:11:50Z (1 min ago)"))
        peer.silentSince = nil
        peer.failures = 3
        peer.retryAt = now + .seconds(40)
        peer.inFlightSince = now
        #expect(words.sentences(peer).map(\.fact) == ["kind_capable", "in_flight", "back_off", "contact"])
        #expect(words.sentences(peer)[2].text.hasPrefix("After 3 failures in a row y.org is left alone until"))
        peer.optedOutUntil = now + .hours(24)
        peer.shortDue = now + .seconds(50)
        peer.silentDue = now + .seconds(170)
        let said = words.sentences(peer)
        #expect(said.contains { $0.fact == "peer_opted_out" })
        #expect(said.last?.text == "If nothing is heard of it, it is reminded in 50 s and counts as silent in 2 min.")
        for (dialect, fact) in [(Dialect.legacy, "kind_legacy"), (.unheard, "kind_unheard")] {
            peer.dialect = dialect
            #expect(words.sentences(peer)[0].fact == fact)
        }
    }
}
