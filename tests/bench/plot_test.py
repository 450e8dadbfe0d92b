"""The figure of bench/apps/idle.py is well-formed SVG, within its frame, and its lines are named apart."""

import pathlib
import sys
import tempfile
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'apps'))
sys.path.insert(0, str(ROOT / 'bench' / 'apps'))

import plot  # noqa: E402
from harness import AppTest, run_tests  # noqa: E402

SVG = '{http://www.w3.org/2000/svg}'


def figure(rates):
    """The figure of (idle, native, kev, epoll) rates, parsed."""
    rows = [{'idle': idle, 'busy': 16, 'rate': {side: {'median': rate, 'low': rate * 0.9, 'high': rate * 1.1}
                                                for side, rate in zip(('native', 'kev', 'epoll'), of_sides)}}
            for idle, *of_sides in rates]
    with tempfile.NamedTemporaryFile(suffix='.svg') as file:
        plot.write(file.name, 'server', 'poll', rows)
        return xml.etree.ElementTree.parse(file.name).getroot()


class Figure(AppTest):
    def test_a_line_for_each_side_and_a_point_for_each_figure(self):
        root = figure([(10, 9e4, 9e4, 1e5), (1000, 3e4, 9e4, 1e5), (8000, 2e3, 9e4, 1e5)])
        self.assertEqual(len(root.findall(SVG + 'polyline')), 3)
        circles = root.findall(SVG + 'circle')
        self.assertEqual(len(circles), 9)
        for circle in circles:
            self.assertTrue(plot.LEFT <= float(circle.get('cx')) <= plot.RIGHT)
            self.assertTrue(plot.TOP <= float(circle.get('cy')) <= plot.BOTTOM)

    def test_names_of_lines_that_meet_stand_apart(self):
        root = figure([(10, 1e5, 1e5, 1e5), (8000, 1e5, 1e5, 1e5)])
        heights = sorted(float(text.get('y')) for text in root.findall(SVG + 'text') if text.get('class') in
                         ('native', 'kev', 'epoll'))
        self.assertEqual(len(heights), 3)
        for upper, lower in zip(heights, heights[1:]):
            self.assertGreaterEqual(lower - upper, plot.LINE_HEIGHT - 0.1)  # as written, rounded

    def test_scales_from_slow_to_fast(self):
        for rate in (7, 999, 12345, 2.4e6):
            root = figure([(10, rate, rate, rate), (100, rate, rate, rate)])
            labels = [text.text for text in root.iter(SVG + 'text')]
            self.assertEqual(len(labels), len(set(labels)), labels)


if __name__ == '__main__':
    run_tests()
