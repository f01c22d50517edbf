import PresenceModel
import Testing

@Suite struct `Status texts and ages` {
    @Test func `a text that fits is kept, an empty one is none`() {
        let fits = String(repeating: "x", count: 1024)
        #expect(StatusText.truncating(fits) == fits)
        #expect(StatusText.truncating("") == nil)
        #expect(StatusText.truncating("tea") == "tea")
    }

    @Test func `a longer text is cut to 1,024 bytes`() {
        #expect(StatusText.truncating(String(repeating: "x", count: 1025)) == String(repeating: "x", count: 1024))
    }

    /// 1,023 bytes, then a character that does not fit.
    @Test(arguments: ["é", "€", "😀", "e\u{301}", "👩‍👩‍👧‍👦", "🇫🇷", "\r\n"])
    func `a character is not cut in two`(character: String) {
        let beginning = String(repeating: "x", count: 1023)
        #expect(StatusText.truncating(beginning + character) == beginning)
        #expect(StatusText.truncating(beginning + character + "and more") == beginning)
    }

    @Test func `a character that ends at the limit is kept`() {
        for character in ["é", "e\u{301}", "👩‍👩‍👧‍👦"] {
            let text = String(repeating: "x", count: 1024 - character.utf8.count) + character
            #expect(StatusText.truncating(text + "y") == text)
        }
    }

    @Test func `a single character over the limit leaves nothing`() {
        #expect(StatusText.truncating("e" + String(repeating: "\u{301}", count: 600)) == nil)
    }

    @Test func `presences say the same when state and text do, whatever the age`() {
        let tea = Presence(state: .busy, statusText: "tea", lastActive: .epoch)
        #expect(tea.says(theSameAs: Presence(state: .busy, statusText: "tea")))
        #expect(!tea.says(theSameAs: Presence(state: .busy, statusText: nil)))
        #expect(!tea.says(theSameAs: Presence(state: .online, statusText: "tea")))
    }

    @Test func `only who takes part is currently active`() {
        let active = PublishedState.allCases.filter(\.isCurrentlyActive)
        #expect(Set(active) == [.online, .freeForChat])
    }

    @Test(
        arguments: [
            (PublishedState.online, 0, 0), (.online, 59_999, 0), (.online, 60_000, 60_000), (.online, 119_999, 60_000),
            (.busy, 7_260_500, 7_260_000), (.offline, 3_599_999, 3_540_000), (.offline, 3_600_000, 3_600_000),
            (.offline, 7_199_999, 3_600_000), (.offline, 86_399_999, 82_800_000), (.offline, 86_400_000, 86_400_000),
            (.offline, 172_799_999, 86_400_000),
        ] as [(PublishedState, Int64, Int64)])
    func `an age is told in steps, coarser for who is offline`(state: PublishedState, age: Int64, told: Int64) {
        let then = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
        let presence = Presence(state: state, lastActive: then)
        let now = then.advanced(byMilliseconds: age)
        #expect(presence.coarseAgeMilliseconds(at: now, granularityMilliseconds: 60_000) == told)
    }

    @Test func `an age is never negative, and none for who was never active`() {
        let later = Presence(state: .online, lastActive: Instant(millisecondsSinceEpoch: 5_000))
        #expect(later.coarseAgeMilliseconds(at: .epoch, granularityMilliseconds: 60_000) == 0)
        #expect(later.coarseAgeMilliseconds(at: .epoch + .seconds(7), granularityMilliseconds: 0) == 2_000)
        #expect(Presence.neverActive.coarseAgeMilliseconds(at: .epoch, granularityMilliseconds: 60_000) == nil)
    }
}
