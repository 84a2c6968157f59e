// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@testable import lmcache

struct ReportTests {
    @Test func pingLooksLikeTheOriginals() {
        var report = Report(title: "Ping KV Cache", width: 30)
        report.add("status", "Status", "FAIL")
        report.add("round_trip_time_ms", "Round trip time (ms)", .double(3.67))
        #expect(
            report.terminalText == """
                ======= Ping KV Cache ========
                Status:                   FAIL
                Round trip time (ms):     3.67
                ==============================

                """
        )
        #expect(
            report.jsonText == """
                {
                  "title": "Ping KV Cache",
                  "metrics": {
                    "status": "FAIL",
                    "round_trip_time_ms": 3.67
                  }
                }

                """
        )
    }

    @Test func sectionsOfOneGroupFormAList() {
        var report = Report(title: "T", width: 20)
        report.add("a", "A", .null)
        for name in ["x", "y"] {
            var section = Report.Section(group: "models", label: "M \(name)")
            section.add("name", "Name", .string(name))
            section.add("mla", "MLA", .bool(true))
            report.add(section)
        }
        #expect(
            report.terminalText == """
                ======== T =========
                A:               N/A
                ------- M x --------
                Name:              x
                MLA:            True
                ------- M y --------
                Name:              y
                MLA:            True
                ====================

                """
        )
        let json = report.jsonText.filter { !" \n".contains($0) }
        #expect(
            json == #"{"title":"T","metrics":{"a":null,"models":[{"name":"x","mla":true},{"name":"y","mla":true}]}}"#
        )
    }

    @Test func longValuesKeepOneSpace() {
        var report = Report(title: "A title wider than the table", width: 10)
        report.add("k", "Label", .string("a long value"))
        #expect(report.terminalText == " A title wider than the table \nLabel: a long value\n==========\n")
    }

    @Test func oddWidthsPadAsPythonDoes() {
        #expect(Report(title: "ab", width: 9).terminalText.hasPrefix("=== ab ==\n"))
        #expect(Report(title: "abc", width: 10).terminalText.hasPrefix("== abc ===\n"))
    }

    @Test(arguments: [
        (0.0, 2, "0.00"), (3.14159, 2, "3.14"), (-0.001, 2, "0.00"), (-1.5, 1, "-1.5"), (99.999, 2, "100.00"),
        (7, 0, "7"), (0.05, 3, "0.050"), (Double.infinity, 2, "inf"), (1e300, 2, "1e+300"),
    ])
    func decimals(_ value: Double, _ places: Int, _ text: String) {
        #expect(Decimals.text(value, places) == text)
    }
}

struct BannerTests {
    @Test func switchIsReadInAnyCase() {
        for value in ["1", "true", "YES", "True"] {
            #expect(!Banner.isWanted(["LMCACHE_DISABLE_BANNER": value]))
        }
        for environment in [[:], ["LMCACHE_DISABLE_BANNER": "0"], ["LMCACHE_DISABLE_BANNER": ""]] {
            #expect(Banner.isWanted(environment))
        }
    }

    @Test func hasFiveLinesAndGoesToStandardError() {
        #expect(Banner.text.split(separator: "\n").count == 5)
        let run = CapturedRun(["ping", "kvcache", "--url", "localhost:1", "-q"], environment: [:])
        #expect(run.error.hasPrefix(Banner.text))
        #expect(run.output.isEmpty)
    }
}
