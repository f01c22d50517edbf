import AdminGateway
import Testing

@Suite struct `Metrics as text` {
    private func text(_ metrics: [Metric]) -> String { String(decoding: MetricsText.write(metrics), as: UTF8.self) }

    @Test func `have a help and a kind before their samples`() {
        let metrics = [
            Metric("a_b", .gauge, "What it is.", 3),
            Metric("c_total", .counter, "More.", [.init(-1, [.init("k", "v"), .init("l", "w")]), .init(0)]),
            Metric("none", .gauge, "Nothing yet.", []),
        ]
        #expect(
            text(metrics) == """
                # HELP a_b What it is.
                # TYPE a_b gauge
                a_b 3
                # HELP c_total More.
                # TYPE c_total counter
                c_total{k="v",l="w"} -1
                c_total 0
                # HELP none Nothing yet.
                # TYPE none gauge

                """)
        #expect(text([]).isEmpty)
    }

    @Test func `escape what would end a line or a label`() {
        let metric = Metric("a", .gauge, "back\\slash, \"quote\",\nline", [.init(1, [.init("l", "\\ \" \n é {}")])])
        #expect(
            text([metric]) == #"""
                # HELP a back\\slash, "quote",\nline
                # TYPE a gauge
                a{l="\\ \" \n é {}"} 1

                """#)
    }

    @Test func `stand together by name, and each sample once`() {
        let metrics = [
            Metric("a", .gauge, "First.", [.init(1, [.init("s", "x")])]), Metric("b", .gauge, "Other.", 2),
            Metric("a", .gauge, "Second.", [.init(3, [.init("s", "y")]), .init(4, [.init("s", "x")])]),
        ]
        #expect(
            text(metrics) == """
                # HELP a First.
                # TYPE a gauge
                a{s="x"} 1
                a{s="y"} 3
                # HELP b Other.
                # TYPE b gauge
                b 2

                """)
    }
}
