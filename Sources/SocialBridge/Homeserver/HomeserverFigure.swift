import BridgeEngine
import PresenceModel

/// One user at a homeserver whose own presence is on: what it said of them, and what the bridge puts there.
///
/// A status text belongs to the user there, and whoever puts a state puts the text with it: so the user's own text, as far
/// as it is known, goes along with every state of a linked user.
struct HomeserverFigure: Sendable {
    /// A state and a text, as they were put.
    struct Put: Hashable, Sendable {
        var state: PublishedState
        var text: String?
    }

    /// Of what was put, this much is remembered, to be known again when the homeserver tells of it.
    static let putsRemembered = 8

    /// What is to be there; `nil`: nothing was ever ordered.
    var wanted: Showing?
    var isGhost = false
    /// What was put, the latest last, and what it stood for.
    private(set) var puts: [(put: Put, showing: Showing)] = []
    /// What the user chose to say themself.
    private(set) var ownText: String?
    /// What was told last.
    private(set) var heard: Presence?
    /// How often the homeserver told of the user.
    var hearings = 0
    /// How the user is is to be asked for.
    var needsLook = false
    /// It is asked for now and then: what a homeserver tells while it takes us for gone is lost.
    var isWatched = false
    /// The answer is told also if it is as before: whoever begins to be bridged was told of when nobody cared.
    var tellsAgain = false
    /// When it is asked for anyway.
    var nextLook: Instant?
    /// How often it was asked for.
    var looks = 0
    var needsPut = false
    /// It stands already, and is only to be put again.
    var isAgain = false
    var isUnderway = false
    /// Not to be asked or put before.
    var notBefore: Instant?
    var failures = 0
    /// When it is to be put again though nothing changed; `nil`: it need not.
    var standsUntil: Instant?

    /// Nobody has to do with the user any more.
    var isIdle: Bool {
        !isWatched && !needsLook && !needsPut && !isUnderway && standsUntil == nil && ownText == nil
            && (heard?.state ?? .offline) == .offline
            && (wanted == nil || wanted == .offline || wanted == .unknown)
    }

    /// What is to be put.
    var put: Put? {
        switch wanted {
        case nil: nil
        case .visible(let state, let text)? where state != .offline:
            Put(
                state: state == .unavailable || state == .busy ? .unavailable : .online,
                text: isGhost ? text : ownText ?? text)
        case .visible, .offline, .unknown: Put(state: .offline, text: isGhost ? nil : ownText)
        }
    }

    /// Whether what is to be put stands there already, if the homeserver did not forget it yet.
    func mayStillStand(at now: Instant, for grace: Duration) -> Bool {
        guard needsPut, isAgain, let standsUntil else { return false }
        return now < standsUntil + grace
    }

    mutating func notePut(_ put: Put, _ showing: Showing) {
        puts.removeAll { $0.put == put }
        puts.append((put, showing))
        if puts.count > HomeserverFigure.putsRemembered { puts.removeFirst() }
    }

    /// The homeserver told how the user is.
    /// - Parameter isFirst: nothing was put in this run, but maybe before.
    /// - Returns: whether it is another than before.
    mutating func take(_ presence: Presence, isFirst: Bool) -> Bool {
        let before = heard
        heard = presence
        let isOurs = presence.statusText.map { text in puts.contains { $0.put.text == text && $0.put.text != ownText } }
        if isOurs != true, !(isFirst && WhereaboutsText.isLike(presence.statusText)) { ownText = presence.statusText }
        return before?.state != presence.state || before?.statusText != presence.statusText
    }

    /// What the bridge is to hear; `nil`: the homeserver said nothing yet.
    var view: MatrixView? {
        guard let presence = heard else { return nil }
        let put = Put(state: presence.state, text: presence.statusText)
        // Whoever put it: it cannot be told from what the bridge did itself.
        if let own = puts.last(where: { $0.put == put }), case .visible(let state, let text) = own.showing {
            return .visible(state, statusText: text, .untold)
        }
        return .visible(presence.state, statusText: presence.statusText, .untold)
    }
}

extension WhereaboutsText {
    /// Whether it could be a text that a bridge put there: not for sure, since people write so too.
    static func isLike(_ text: String?) -> Bool {
        guard let text else { return false }
        if parse(text) != nil { return true }
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard let first = words.first else { return false }
        if words.count == 2, first == "in" { return isPlain(words[1]) }
        guard words.count == 1 || (words.count == 3 && words[1] == "in" && isPlain(words[2])) else { return false }
        let numbers = first.split(separator: ",", omittingEmptySubsequences: false)
        return numbers.count == 2 && numbers.allSatisfy { Int32($0) != nil }
    }

    private static func isPlain(_ word: Substring) -> Bool {
        !word.isEmpty && word.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
