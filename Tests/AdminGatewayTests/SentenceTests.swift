import FederationEngine
import PresenceModel
import Testing

@testable import AdminGateway
@testable import PresenceEngine

struct `Explanations in words` {
    private let now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    private let ada: UserID
    private let cleo: UserID

    init() throws {
        ada = try UserID(parsing: "@ada:x.org")
        cleo = try UserID(parsing: "@cleo:y.org")
    }

    private var time: TimeWords { TimeWords(now: now) }

    private func sight(_ cause: PresenceEngine.Cause) throws -> PresenceEngine.Explanation {
        let room = PresenceEngine.SharedRoom(
            id: try RoomID(parsing: "!lobby:x.org"), isExcluded: cause == .excludedRooms, members: 3, membersThere: 1,
            isBlocked: false)
        let hasRooms = cause == .sharedRoom || cause == .excludedRooms
        return PresenceEngine.Explanation(
            isSeen: cause.isSeen, cause: cause, since: now.advanced(byMilliseconds: -180_000), entry: nil,
            answerIfAsked: nil,
            rooms: hasRooms ? PresenceEngine.SharedRooms(first: [room], count: 1) : PresenceEngine.SharedRooms(),
            isAnsweredOnly: false, attention: nil)
    }

    /// Whole sentences that a person can read, each with a name of its own.
    private func expectGood(_ sentences: [Sentence]) {
        for sentence in sentences {
            #expect(sentence.text.hasSuffix(".") && !sentence.text.contains("Optional"), "\(sentence.text)")
            #expect(!sentence.text.contains("  ") && !sentence.text.contains(".."), "\(sentence.text)")
            #expect(sentence.fact.allSatisfy { $0.isLowercase || $0 == "_" }, "\(sentence.fact)")
        }
    }

    @Test func `every cause has a sentence of its own`() throws {
        let words = SightWords(user: ada, observer: cleo, time: time)
        var texts: Set<String> = []
        for cause in PresenceEngine.Cause.allCases {
            let sentences = words.sentences(try sight(cause))
            let first = try #require(sentences.first)
            #expect(first.fact == cause.rawValue && first.text.contains("@ada:x.org"))
            if let isSeen = cause.isSeen { #expect(first.text.contains(isSeen ? "sees" : "does not see")) }
            expectGood(sentences)
            texts.insert(first.text)
        }
        #expect(texts.count == PresenceEngine.Cause.allCases.count)
        #expect(
            words.sentences(try sight(.granted)).first?.text
                == "@cleo:y.org sees @ada:x.org: @ada:x.org gave them leave, which holds since 2023-11-14T22:10:20Z (3 min ago)."
        )
        #expect(try words.sentences(sight(.sharedRoom)).first?.text.contains("!lobby:x.org (3 members)") == true)
        #expect(try words.sentences(sight(.excludedRooms)).contains { $0.text.contains("excluded)") })
    }

    @Test func `what a request would bring, and whose wish counts`() throws {
        let words = SightWords(user: ada, observer: cleo, time: time)
        for (answer, part) in [
            (StoredConsent.State.granted, "at once"), (.requested, "would wait"), (.blocked, "would be denied"),
        ] {
            var explanation = try sight(.noLeave)
            explanation.answerIfAsked = answer
            let sentences = words.sentences(explanation)
            #expect(sentences.contains { $0.fact == "if_asked_\(answer.rawValue)" && $0.text.contains(part) })
            expectGood(sentences)
        }
        var texts: Set<String> = []
        for attention in PresenceEngine.Attention.allCases {
            var explanation = try sight(.entryAccepted)
            explanation.attention = attention
            let said = try #require(
                words.sentences(explanation).first { $0.fact == "attention_\(attention.rawValue)" })
            expectGood([said])
            texts.insert(said.text)
        }
        #expect(texts.count == PresenceEngine.Attention.allCases.count)
        var only = try sight(.granted)
        only.isAnsweredOnly = true
        #expect(words.sentences(only).map(\.fact) == ["granted", "answered_only"])
    }

    @Test func `what a user is, and by what`() throws {
        let words = ConditionWords(user: ada, time: time)
        var condition = PresenceEngine.LocalCondition(
            chosen: .hidden, published: .offline, devices: 1, isIdle: true, lastSeen: now, nextLook: now + .minutes(4))
        let hidden = words.sentences(condition)
        #expect(hidden.map(\.fact) == ["published_offline", "hidden", "devices", "next_look"])
        #expect(hidden[1].text == "@ada:x.org is hidden: everybody else is told offline, whatever the devices do.")
        #expect(hidden[2].text == "One device of @ada:x.org is connected, and idle.")
        #expect(hidden[3].text == "Time alone may change that in 4 min.")
        condition.chosen = .offline
        #expect(words.sentences(condition).contains { $0.fact == "offline_by_choice" })
        condition.override = .busy
        condition.overrideUntil = now + .hours(2)
        condition.devices = 2
        let busy = words.sentences(condition)
        #expect(busy.contains { $0.fact == "override" && $0.text.contains("busy until 2023-11-15T00:13:20Z (in 2 h)") })
        #expect(busy.contains { $0.text == "2 devices of @ada:x.org are connected, all of them idle." })
        condition.devices = 0
        condition.lastSeen = nil
        #expect(words.sentences(condition).contains { $0.text.contains("and none ever was.") })
        expectGood(hidden + busy + words.sentences(condition))
        #expect(words.sentences(Optional<PresenceEngine.LocalCondition>.none).map(\.fact) == ["no_such_user"])
    }

    @Test func `why a user of another server is unknown`() throws {
        let words = ConditionWords(user: cleo, time: time)
        var texts: Set<String> = []
        for reason in UnknownReason.allCases {
            let sentences = words.sentences(
                PresenceEngine.RemoteCondition(
                    unknown: reason, unknownSince: now.advanced(byMilliseconds: -7_500_000), interested: 0, listed: 1,
                    rooms: 2))
            expectGood(sentences)
            let said = try #require(sentences.first { $0.fact == "unknown_\(reason.rawValue)" })
            #expect(reason == .neverHeard || said.text.contains("(2 h 5 min ago)"))
            texts.insert(said.text)
        }
        #expect(texts.count == UnknownReason.allCases.count)
        let known = words.sentences(
            PresenceEngine.RemoteCondition(
                published: .busy, goodUntil: now + .days(1), interested: 2, listed: 1, rooms: 0))
        #expect(known[0].text == "y.org said of @cleo:y.org: busy, which holds until 2023-11-15T22:13:20Z (in 1 d).")
        #expect(known[1].text.hasPrefix("2 here want to know of @cleo:y.org"))
    }

    @Test func `what a server hears of`() throws {
        let server = try ServerName(parsing: "y.org")
        let words = AudienceWords(user: ada, server: server)
        var audience = PresenceEngine.AudienceExplanation(
            reach: nil, isKnown: true, granted: [], grantedCount: 0, requestedCount: 2, blockedCount: 1,
            rooms: PresenceEngine.SharedRooms(), nearRoomLimit: 1000)
        #expect(words.sentences(audience).map(\.fact) == ["reach_none", "requested_there", "blocked_there"])
        audience.reach = .near
        audience.granted = [cleo]
        audience.grantedCount = 12
        #expect(words.sentences(audience)[1].text == "@ada:x.org gave leave to @cleo:y.org and 11 more.")
        audience.reach = .wide
        #expect(words.sentences(audience)[0].text.contains("more than 1000 members"))
        audience.rooms = PresenceEngine.SharedRooms(
            first: [
                PresenceEngine.SharedRoom(
                    id: try RoomID(parsing: "!big:x.org"), isExcluded: false, members: 5000, membersThere: 7,
                    isBlocked: true)
            ], count: 3)
        let rooms = try #require(words.sentences(audience).last)
        #expect(
            rooms.text
                == "Rooms with users of y.org: !big:x.org (5000 members, 7 there, all of those blocked) and 2 more.")
        expectGood(words.sentences(audience))
        audience.reach = nil
        audience.isKnown = false
        #expect(words.sentences(audience).map(\.fact) == ["no_such_user"])
    }

    @Test func `spans in the units that matter`() {
        for (milliseconds, text) in [
            (Int64(0), "0 s"), (999, "0 s"), (47_000, "47 s"), (60_000, "1 min"), (3_599_999, "59 min"),
            (3_600_000, "1 h"), (7_500_000, "2 h 5 min"), (86_400_000, "1 d"), (360_000_000, "4 d 4 h"),
        ] {
            #expect(TimeWords.span(milliseconds: milliseconds) == text)
        }
        #expect(time.since(nil).isEmpty && time.since(.epoch).isEmpty)
    }
}

extension Duration {
    fileprivate static func days(_ count: Int) -> Duration { .hours(24 * count) }
}
