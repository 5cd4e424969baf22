"""Instructions with what they mean, written down by hand from their meaning and never from what a program made of them.

``READ`` has five columns: the text · dose · times a day · in a day · need. A dash is "not said". ``NOT_READ`` has the text ·
what may be taken of it · why the rest may not.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from schemas.values import Quantity

READ = """
1 tab PO BID PRN                                           | 1 tablet        | 2     | 0-2 tablet      | as needed
10-20 mg q4-6h                                             | 10-20 mg        | 4-6   | 40-120 mg       |
take one and a half tablets by mouth every morning         | 1.5 tablet      | 1     | 1.5 tablet      |
2 puffs q.i.d.                                             | 2 puff          | 4     | 8 puff          |
5 mL (250 mg) every 8 hours                                | 5 mL            | 3     | 15 mL           |
1 tab in the morning and 2 at night                        | 1-2 tablet      | 2     | 3 tablet        |
1 tablet every other day                                   | 1 tablet        | 1/2   | 0.5 tablet      |
weekly on Monday                                           | -               | 1/7   | -               |
as directed                                                | -               | -     | -               |
once                                                       | -               | -     | -               |
continuous infusion 5 mg/h                                 | -               | -     | -               |
Take 1 tablet by mouth daily                               | 1 tablet        | 1     | 1 tablet        |
TAKE ONE TABLET BY MOUTH EVERY DAY                         | 1 tablet        | 1     | 1 tablet        |
take 1 tab p.o. q.d.                                       | 1 tablet        | 1     | 1 tablet        |
1 tab po qd                                                | 1 tablet        | 1     | 1 tablet        |
1 tab PO QAM                                               | 1 tablet        | 1     | 1 tablet        |
1 tab PO QPM                                               | 1 tablet        | 1     | 1 tablet        |
1 tab PO QHS                                               | 1 tablet        | 1     | 1 tablet        |
1 tab po hs                                                | 1 tablet        | 1     | 1 tablet        |
1 tab qod                                                  | 1 tablet        | 1/2   | 0.5 tablet      |
500 mg PO TID                                              | 500 mg          | 3     | 1500 mg         |
500mg PO tid.                                              | 500 mg          | 3     | 1500 mg         |
500 MG. P.O. T.I.D.                                        | 500 mg          | 3     | 1500 mg         |
1 g IV q12h                                                | 1 g             | 2     | 2 g             |
1 gm IV q24h                                               | 1 g             | 1     | 1 g             |
1,000 mg every 6 hours                                     | 1000 mg         | 4     | 4000 mg         |
5,000 units subcut every 8 hours                           | 5000 unit       | 3     | 15000 unit      |
3.125 mg twice daily                                       | 3.125 mg        | 2     | 6.25 mg         |
1 neb q4h prn                                              | 1 nebule        | 6     | 0-6 nebule      | as needed
12.5 mg twice daily                                        | 12.5 mg         | 2     | 25 mg           |
.5 mg daily                                                | 0.5 mg          | 1     | 0.5 mg          |
0.125 mg once daily                                        | 0.125 mg        | 1     | 0.125 mg        |
75 mcg every morning on an empty stomach                   | 75 mcg          | 1     | 75 mcg          |
75 µg once a day                                           | 75 mcg          | 1     | 75 mcg          |
40 mEq PO BID                                              | 40 mEq          | 2     | 80 mEq          |
20 mmol 3 times a day                                      | 20 mmol         | 3     | 60 mmol         |
10 units subcutaneously at bedtime                         | 10 unit         | 1     | 10 unit         |
Inject 20 units subcutaneously at bedtime                  | 20 unit         | 1     | 20 unit         |
1000 IU daily                                              | 1000 unit       | 1     | 1000 unit       |
2 million units IV q4h                                     | 2000000 unit    | 6     | 12000000 unit   |
10 mL TID                                                  | 10 mL           | 3     | 30 mL           |
5 cc q6h                                                   | 5 mL            | 4     | 20 mL           |
1 teaspoonful every 6 hours                                | 1 teaspoon      | 4     | 4 teaspoon      |
2 tbsp at bedtime                                          | 2 tablespoon    | 1     | 2 tablespoon    |
1 patch every 3 days                                       | 1 patch         | 1/3   | 1/3 patch       |
1 patch every 72 hours                                     | 1 patch         | 1/3   | 1/3 patch       |
Apply 1 patch to clean dry skin every 3 days               | 1 patch         | 1/3   | 1/3 patch       |
1 suppository PR daily                                     | 1 suppository   | 1     | 1 suppository   |
Inhale 2 puffs every 4-6 hours as needed                   | 2 puff          | 4-6   | 0-12 puff       | as needed
2 puffs inh q4-6h prn wheezing                             | 2 puff          | 4-6   | 0-12 puff       | as needed
2 inhalations twice a day                                  | 2 inhalation    | 2     | 4 inhalation    |
1 drop in right eye 4 times daily                          | 1 drop          | 4     | 4 drop          |
1 tablet twice a day                                       | 1 tablet        | 2     | 2 tablet        |
1 tablet two times a day                                   | 1 tablet        | 2     | 2 tablet        |
1 tablet 2x/day                                            | 1 tablet        | 2     | 2 tablet        |
1 tablet 2x daily                                          | 1 tablet        | 2     | 2 tablet        |
1 tablet 3 × per day                                       | 1 tablet        | 3     | 3 tablet        |
1 tablet thrice daily                                      | 1 tablet        | 3     | 3 tablet        |
1 tablet four-times-daily                                  | 1 tablet        | 4     | 4 tablet        |
1 tablet twice-daily                                       | 1 tablet        | 2     | 2 tablet        |
1 tablet once-a-day                                        | 1 tablet        | 1     | 1 tablet        |
1 tablet 3-4 times a day                                   | 1 tablet        | 3-4   | 3-4 tablet      |
1 tablet 3 to 4 times daily                                | 1 tablet        | 3-4   | 3-4 tablet      |
1 tablet by oral route 2 times daily.                      | 1 tablet        | 2     | 2 tablet        |
1 tablet BD                                                | 1 tablet        | 2     | 2 tablet        |
1 tablet TDS                                               | 1 tablet        | 3     | 3 tablet        |
1 tablet QDS                                               | 1 tablet        | 4     | 4 tablet        |
1 capsule 6-hourly                                         | 1 capsule       | 4     | 4 capsule       |
1 capsule 8 hourly                                         | 1 capsule       | 3     | 3 capsule       |
1 capsule every 4 to 6 hours                               | 1 capsule       | 4-6   | 4-6 capsule     |
1 capsule q 4 - 6 hrs                                      | 1 capsule       | 4-6   | 4-6 capsule     |
1 capsule q6hrs                                            | 1 capsule       | 4     | 4 capsule       |
1 capsule q 8 h                                            | 1 capsule       | 3     | 3 capsule       |
1-2 tablets every 4 (four) hours as needed                 | 1-2 tablet      | 6     | 0-12 tablet     | as needed
Take 1-2 tablets (5-10 mg total) by mouth every 4 (four) hours as needed for pain | 1-2 tablet | 6 | 0-12 tablet | as needed
Take 1 tablet (10 mg total) by mouth daily                 | 1 tablet        | 1     | 1 tablet        |
Take 2 tablets (1,000 mg) by mouth twice daily with meals  | 2 tablet        | 2     | 4 tablet        |
250 mg (5 mL) every 8 hours                                | 250 mg          | 3     | 750 mg          |
10 mL (250 mg/5 mL) every 8 hours                          | 10 mL           | 3     | 30 mL           |
two (2) tablets twice daily                                | 2 tablet        | 2     | 4 tablet        |
one (1) tablet(s) three (3) times a day                    | 1 tablet        | 3     | 3 tablet        |
1 or 2 tablets every 6 hours                               | 1-2 tablet      | 4     | 4-8 tablet      |
one to two tablets every 6 hours as needed                 | 1-2 tablet      | 4     | 0-8 tablet      | as needed
10 mg to 20 mg every 6 hours                               | 10-20 mg        | 4     | 40-80 mg        |
10mg-20mg q6h                                              | 10-20 mg        | 4     | 40-80 mg        |
10–20 mg q6h                                               | 10-20 mg        | 4     | 40-80 mg        |
½ tablet daily                                             | 0.5 tablet      | 1     | 0.5 tablet      |
1½ tablets daily                                           | 1.5 tablet      | 1     | 1.5 tablet      |
1 1/2 tablets daily                                        | 1.5 tablet      | 1     | 1.5 tablet      |
1 and 1/2 tablets daily                                    | 1.5 tablet      | 1     | 1.5 tablet      |
1/2 tab bid                                                | 0.5 tablet      | 2     | 1 tablet        |
half a tablet twice daily                                  | 0.5 tablet      | 2     | 1 tablet        |
one half tablet at bedtime                                 | 0.5 tablet      | 1     | 0.5 tablet      |
two and a half tablets daily                               | 2.5 tablet      | 1     | 2.5 tablet      |
½-1 tablet q6h prn                                         | 0.5-1 tablet    | 4     | 0-4 tablet      | as needed
take a tablet daily                                        | 1 tablet        | 1     | 1 tablet        |
1 tablet every evening                                     | 1 tablet        | 1     | 1 tablet        |
1 tablet each night                                        | 1 tablet        | 1     | 1 tablet        |
Take 1 tablet by mouth every night at bedtime              | 1 tablet        | 1     | 1 tablet        |
1 tablet every morning before breakfast                    | 1 tablet        | 1     | 1 tablet        |
1 tablet once daily in the morning                         | 1 tablet        | 1     | 1 tablet        |
1 tablet daily at bedtime                                  | 1 tablet        | 1     | 1 tablet        |
1 tablet daily 30 minutes before breakfast                 | 1 tablet        | 1     | 1 tablet        |
1 tablet twice daily (every 12 hours)                      | 1 tablet        | 2     | 2 tablet        |
1 tablet in the morning and at bedtime                     | 1 tablet        | 2     | 2 tablet        |
1 tablet morning and night                                 | 1 tablet        | 2     | 2 tablet        |
1 tablet morning, noon and night                           | 1 tablet        | 3     | 3 tablet        |
1 tablet twice daily in the morning and in the evening     | 1 tablet        | 2     | 2 tablet        |
1 tablet with breakfast and dinner                         | 1 tablet        | 2     | 2 tablet        |
1 tablet three times daily with meals                      | 1 tablet        | 3     | 3 tablet        |
1 tablet qid ac and hs                                     | 1 tablet        | 4     | 4 tablet        |
600 MG 2 TIMES DAILY BEFORE MEALS                          | 600 mg          | 2     | 1200 mg         |
1 tablet at 18:00                                          | 1 tablet        | 1     | 1 tablet        |
1 tablet at 8 am and 8 pm                                  | 1 tablet        | 2     | 2 tablet        |
1 tablet at 8:00, 14:00 and 20:00                          | 1 tablet        | 3     | 3 tablet        |
1 tablet every evening at 6 pm once daily                  | 1 tablet        | 1     | 1 tablet        |
10 units in the morning and 5 units at bedtime             | 5-10 unit       | 2     | 15 unit         |
in the morning 10 units, at bedtime 5 units                | 5-10 unit       | 2     | 15 unit         |
5 mg in the morning; 10 mg at night                        | 5-10 mg         | 2     | 15 mg           |
1 tablet at 8:00 and 2 tablets at 20:00                    | 1-2 tablet      | 2     | 3 tablet        |
2 tablets with breakfast, 1 with lunch and 1 with dinner   | 1-2 tablet      | 3     | 4 tablet        |
1 tablet once a week                                       | 1 tablet        | 1/7   | 1/7 tablet      |
1 tablet once weekly                                       | 1 tablet        | 1/7   | 1/7 tablet      |
70 mg every week                                           | 70 mg           | 1/7   | 10 mg           |
70 mg every 7 days                                         | 70 mg           | 1/7   | 10 mg           |
6 tablets once a week on Monday                            | 6 tablet        | 1/7   | 6/7 tablet      |
6 tablets every Monday                                     | 6 tablet        | 1/7   | 6/7 tablet      |
6 tablets on Mondays                                       | 6 tablet        | 1/7   | 6/7 tablet      |
1 tablet twice a week                                      | 1 tablet        | 2/7   | 2/7 tablet      |
1 tablet 3 times a week                                    | 1 tablet        | 3/7   | 3/7 tablet      |
1 tablet 3 times a week on Mon, Wed and Fri                | 1 tablet        | 3/7   | 3/7 tablet      |
2.5 MG Every TUESDAY, THURSDAY, and SATURDAY               | 2.5 mg          | 3/7   | 7.5/7 mg        |
1 tablet daily on Monday to Friday                         | 1 tablet        | 5/7   | 5/7 tablet      |
1 tablet daily Mon-Fri                                     | 1 tablet        | 5/7   | 5/7 tablet      |
1 tablet twice daily on Saturday and Sunday                | 1 tablet        | 4/7   | 4/7 tablet      |
1 injection every 2 weeks                                  | 1 injection     | 1/14  | 1/14 injection  |
40 mg every other week                                     | 40 mg           | 1/14  | 40/14 mg        |
1 tablet mon, wed, fri                                     | 1 tablet        | 3/7   | 3/7 tablet      |
1 tablet on Mon                                            | 1 tablet        | 1/7   | 1/7 tablet      |
3 tablets morning 2 tablets noon 1 tablet night            | 1-3 tablet      | 3     | 6 tablet        |
1 tablet every other month                                 | 1 tablet        | 4/243.5 | 4/243.5 tablet |
0.5 tablets (12.5 mg total) in the morning and 0.5 tablets (12.5 mg total) before bedtime | 0.5 tablet | 2 | 1 tablet |
1 tablet in the morning and 1 tablet at noon. Take with meals. | 1 tablet    | 2     | 2 tablet        |
1 tab(s) orally every 6 hours, As Needed - for pain        | 1 tablet        | 4     | 0-4 tablet      | as needed
1 puff by mouth twice daily. Rinse mouth after use         | 1 puff          | 2     | 2 puff          |
TAKE ONE-HALF TABLET BY MOUTH EVERY DAY                    | 0.5 tablet      | 1     | 0.5 tablet      |
2 puffs every 6 (six) hours as needed for Wheezing or Shortness of Breath. | 2 puff | 4 | 0-8 puff       | as needed
1 tablet on alternate days                                 | 1 tablet        | 1/2   | 0.5 tablet      |
1 tablet every 2 days                                      | 1 tablet        | 1/2   | 0.5 tablet      |
1 tablet every second day                                  | 1 tablet        | 1/2   | 0.5 tablet      |
1 tablet every 48 hours                                    | 1 tablet        | 1/2   | 0.5 tablet      |
1 tablet every third day                                   | 1 tablet        | 1/3   | 1/3 tablet      |
1 tablet every 36 hours                                    | 1 tablet        | 2/3   | 2/3 tablet      |
2 g every hour                                             | 2 g             | 24    | 48 g            |
1 tablet daily for 7 days                                  | 1 tablet        | 1     | 1 tablet        |
1 tablet bid x 10 days                                     | 1 tablet        | 2     | 2 tablet        |
1 tablet BID x10d                                          | 1 tablet        | 2     | 2 tablet        |
1 tablet twice a day for 2 weeks                           | 1 tablet        | 2     | 2 tablet        |
1 tablet twice a day for a week                            | 1 tablet        | 2     | 2 tablet        |
1 tablet daily until gone                                  | 1 tablet        | 1     | 1 tablet        |
500 mg every 12 hours for 4 doses                          | 500 mg          | 2     | 1000 mg         |
1 tablet weekly for 4 weeks                                | 1 tablet        | 1/7   | 1/7 tablet      |
1 tablet every 6 hours as needed for pain                  | 1 tablet        | 4     | 0-4 tablet      | as needed
1 tablet q6h prn nausea/vomiting                           | 1 tablet        | 4     | 0-4 tablet      | as needed
1 tablet prn for anxiety or insomnia at bedtime            | 1 tablet        | 1     | 0-1 tablet      | as needed
1 tablet every 6 hours, if needed                          | 1 tablet        | 4     | 0-4 tablet      | as needed
1 tablet as needed                                         | 1 tablet        | -     | -               | as needed
1 tablet up to 3 times a day                               | 1 tablet        | 3     | 0-3 tablet      | as needed
1-2 tabs q4-6h prn pain, max 8 tablets in 24 hours         | 1-2 tablet      | 4-6   | 0-8 tablet      | as needed
1-2 tabs PO q4-6h as needed for pain. Do not exceed 8 tablets in 24 hours. | 1-2 tablet | 4-6 | 0-8 tablet | as needed
500 mg q4h prn, maximum 2 g per day                        | 500 mg          | 6     | 0-3000 mg       | as needed
1 tablet every 4 hours, no more than 4 doses a day         | 1 tablet        | 4     | 4 tablet        |
1 tablet q4h, not to exceed 5 tablets/24 hours             | 1 tablet        | 6     | 5 tablet        |
2 tablets q6h, up to 6 tablets a day                       | 2 tablet        | 4     | 6 tablet        |
40 mg per day                                              | -               | -     | 40 mg           |
500 mg/day                                                 | -               | -     | 500 mg          |
2 tablets a day                                            | -               | -     | 2 tablet        |
1-2 tablets in 24 hours                                    | -               | -     | 1-2 tablet      |
1 tablet a day at bedtime                                  | 1 tablet        | 1     | 1 tablet        |
1 g IV once                                                | 1 g             | -     | 1 g             |
1 g IV once only                                           | 1 g             | -     | 1 g             |
25 g now                                                   | 25 g            | -     | 25 g            |
500 mg x1                                                  | 500 mg          | -     | 500 mg          |
500 mg IV x 1 dose                                         | 500 mg          | -     | 500 mg          |
500 mg stat                                                | 500 mg          | -     | 500 mg          |
1 g IV over 30 minutes every 8 hours                       | 1 g             | 3     | 3 g             |
2 g IV over 1 hour daily                                   | 2 g             | 1     | 2 g             |
1 tablet as directed                                       | 1 tablet        | -     | -               |
1 tablet daily as directed                                 | 1 tablet        | 1     | 1 tablet        |
Use as directed                                            | -               | -     | -               |
apply to affected area twice daily                         | -               | 2     | -               |
twice daily                                                | -               | 2     | -               |
take with food                                             | -               | -     | -               |
1 tablet po bid for blood pressure                         | 1 tablet        | 2     | 2 tablet        |
1 capsule every 12 hours around the clock                  | 1 capsule       | 2     | 2 capsule       |
2 sprays nasally once daily                                | 2 spray         | 1     | 2 spray         |
"""

NOT_READ = (
    """
4 tabs x3 days then 2                                      | -                | two steps
4 tablets daily for 3 days, 3 tablets daily for 3 days     | -                | two steps
4 tabs daily x 3 days, then 3 tabs daily x 3 days          | -                | two steps
1 tab then 2                                               | -                | two steps
1 tablet daily then 2 tablets daily                        | -                | two steps
1 tablet daily for 1 week, increase to 2 tablets daily     | -                | two steps
2 tablets now, 1 tablet every 6 hours                      | -                | a first dose and others
take 2 tablets on day 1                                    | -                | of one day
1 tablet daily unless dizzy                                | -                | a condition
1 tablet daily, hold if systolic below 100                 | -                | a condition
hold if HR < 60, 1 tablet daily                            | -                | a condition
1 tablet daily except Sunday                               | -                | a condition
1 tablet daily or 2 tablets every other day                | -                | two answers
5 mg or 10 mg depending on INR                             | -                | a condition
per sliding scale before meals                             | -                | a sliding scale
10 units plus sliding scale                                | -                | a sliding scale
taper as directed by clinic                                | -                | a taper
titrate to effect                                          | -                | to effect
1 tablet alternating with 2 tablets every other day        | -                | two doses
do not take more than directed                             | -                | a limit without a number
stop taking 1 tablet daily                                 | -                | a stop
1 tablet daily while awake                                 | -                | not all day
1 tablet daily zzz                                         | -                | a word that nobody knows
2 Tabletten täglich                                        | -                | another language
2,5 mg daily                                               | -                | a comma before the decimals
1.000 mg daily                                             | -                | a thousand or one
2.500 units daily                                          | -                | a thousand times more or less
05 mg daily                                                | -                | a point that is lost
-5 mg daily                                                | -                | less than nothing
20-10 mg daily                                             | -                | a range upside down
two (3) tablets daily                                      | -                | two numbers
1-1/2 tablets daily                                        | -                | one to a half, or one and a half
0 mg daily                                                 | -                | nothing
2 x 500 mg daily                                           | -                | two numbers
2 500 mg tablets daily                                     | -                | two numbers
take 2 daily                                               | -                | no unit
1-0-1                                                      | -                | no unit
1 tablet monthly for 3 days                                | 1 tablet         | more than one a month
1 tablet for 5 days a week daily                           | -                | five of seven days
15 mg per week                                             | -                | may be divided
1 tablet daily weekly                                      | 1 tablet         | two frequencies
1 tablet twice daily at bedtime                            | 1 tablet         | two times and one
1 tablet once daily in the morning and evening             | 1 tablet         | once and two times
1 tablet daily on Monday                                   | 1 tablet         | daily and weekly
1 tablet OD                                                | 1 tablet         | once daily or right eye
1 tablet qn                                                | 1 tablet         | error-prone
1 tablet q1d                                               | 1 tablet         | error-prone
1 tablet TIW                                               | 1 tablet         | error-prone
1 tablet biweekly                                          | 1 tablet         | twice a week or every two weeks
1 tablet bimonthly                                         | 1 tablet         | twice a month or every two months
1 tablet with meals                                        | 1 tablet         | how many meals
10 units before meals and at bedtime                       | 10 unit          | how many meals
0.4 mg SL every 5 minutes x 3 doses                        | 0.4 mg           | limited in other words
1 tablet once in the morning                               | 1 tablet         | once, or each morning
1 g now, every 6 hours                                     | 1 g              | once and then
1 g now and every 6 hours                                  | -                | once and then
1 tablet (2 tablets) daily                                 | 1 times          | two numbers
1 tablet in the evening at bedtime                         | 1 tablet         | one time or two
10 U sc bid                                                | 2 times          | error-prone unit
4u tid                                                     | 3 times          | error-prone unit
5 M daily                                                  | 1 times          | thousand or million
2 drops in both eyes bid                                   | 2 times          | a dose for each eye
1 spray in each nostril daily                              | 1 times          | a dose for each nostril
10 mg/kg every 8 hours                                     | 3 times          | the weight
15 mg/kg/dose q6h                                          | 4 times          | the weight
apply a thin layer twice daily                             | 2 times          | no number
ss tablet daily                                            | -                | error-prone
5 mg bid 10 mg tid                                         | -                | two doses
1 tablet in the morning 2 tablets                          | -                | the second dose has no time
500 mg (2 tablets) twice daily                             | 2 times          | 500 mg, or twice 500 mg
1 tablet mon                                               | -                | Monday, or a month that was cut
1 tablet in the morning for 7 days and 2 tablets at night  | -                | together or one after the other
1 tablet every 12 hours on Mondays                         | 1 tablet         | daily and weekly
1 tablet weekly on Monday and Thursday                     | 1 tablet         | one time and two
1 tablet every day for 3 days every month                  | 1 tablet         | daily and monthly
1 tablet hourly x 10                                       | -                | ten what
1 tablet in the morning and                                | -                | cut
1 tablet daily -                                           | -                | cut
1 tablet in the morning to 2 at night                      | -                | two doses
1 tablet daily at 8 am and at night                        | 1 tablet         | daily and two times
in the morning 1 tablet at bedtime                         | 1 tablet         | one time or two
1 tablet twice daily and as needed                         | -                | more than twice
1 tablet at bedtime and prn                                | -                | more than once
1 tablet daily and 1 tablet                                | -                | two doses
2 tablets at once, then 1 tablet daily for 4 days          | -                | two steps
1 tablet q6h prn pain (max 4/day)                          | -                | four what
1 tablet at onset of migraine; may repeat once after 2 hours | -              | a second one
1 tablet 2 tablets                                         | -                | two doses
1 tablet, 2                                                | -                | two numbers
1 tablet 2 in the morning                                  | -                | two numbers
in the morning 1 tablet 2                                  | -                | two numbers
2 tablets (1 in the morning and 1 at night)                | -                | which is the dose
1 tablet in the morning and 2 in the morning               | -                | one time twice
1 tablet in the morning and 1 capsule at night             | -                | two units
25 tablets 25 times a day                                  | -                | more than hourly
1 tablet 3 times                                           | -                | in what
1 tablet every                                             | -                | cut
1 tablet every 6                                           | -                | cut
max 8                                                      | -                | of what
maximum 4 g                                                | -                | a day or a dose
5 mg/h then 10 mg/h                                        | -                | two rates
5 mg bolus followed by 5 mg/h                              | -                | two steps
1e3 mg daily                                               | -                | no plain number
10⁵ units daily                                            | -                | no plain number
１ tablet daily                                            | -                | no plain number
1 tablet daily + 1 tablet at night                         | -                | a sum
"""
    + "1 tablet daily " * 40
    + " | - | too long\n"
)


class Expected(NamedTuple):
    text: str
    dose: Quantity | None
    often: tuple[float, float] | None
    daily: Quantity | None
    as_needed: bool


class Refused(NamedTuple):
    text: str
    dose: Quantity | None
    often: float | None
    why: str


def readable() -> list[Expected]:
    rows = [[cell.strip() for cell in line.split("|")] for line in READ.strip().splitlines()]
    return [
        Expected(text, _quantity(dose), _ends(often), _quantity(daily), need == "as needed")
        for text, dose, often, daily, need in rows
    ]


def unreadable() -> list[Refused]:
    rows = [[cell.strip() for cell in line.split("|")] for line in NOT_READ.strip().splitlines()]
    return [
        Refused(text, None if taken.endswith("times") else _quantity(taken), _times(taken), why)
        for text, taken, why in rows
    ]


def _times(taken: str) -> float | None:
    return float(taken.split()[0]) if taken.endswith("times") else None


def _quantity(cell: str) -> Quantity | None:
    if cell == "-":
        return None
    number, unit = cell.split(" ", 1)
    low, high = _ends(number) or (0.0, 0.0)
    return Quantity(low, unit, high) if high != low else Quantity(low, unit)


def _ends(cell: str) -> tuple[float, float] | None:
    if cell == "-":
        return None
    low, _, high = cell.partition("-")
    return _number(low), _number(high or low)


def _number(text: str) -> float:
    above, _, below = text.partition("/")
    return float(Fraction(above) / Fraction(below or "1"))
